//! What a placement may say.

use crate::client::start;
use crate::samples::{RUNNABLES, runnable};
use serde_json::json;

#[tokio::test]
async fn runs_may_be_spread_by_a_label_of_clusters() {
    let server = start().await;
    server.memory.raise();
    let mut a = runnable("a");
    a["spec"]["placement"] = json!({"weights": {"east": 2}, "spreadByLabel": "topology.kubernetes.io/zone"});
    let document = server.post(RUNNABLES, &a).await.done(201);
    assert_eq!(document["spec"]["placement"], a["spec"]["placement"]);
    for (wrong, why) in [
        (json!({"spreadByLabel": "a b"}), "spec.placement.spreadByLabel"),
        (json!({"spreadByLabel": ["zone"]}), "spec.placement.spreadByLabel"),
        (json!({"spreadByLabel": "zone", "fanOut": true}), "must not be with fanOut"),
    ] {
        a["spec"]["placement"] = wrong;
        let refused = server.post(RUNNABLES, &a).await.refused(422, "Invalid");
        assert!(refused.contains(why), "{refused}");
    }
}
