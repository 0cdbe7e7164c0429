//! Labels, annotations and holds that somebody takes off.

use crate::stage::{on_east, run, within};
use serde_json::{Value, json};

const HERE: &str = "marks";
const HOLD: &str = "tallyman.dev/hold";

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn marks_that_were_taken_off_are_put_back_and_the_ledger_says_so() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        let off = |fields: &[&str]| fields.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
        let mut labels: Value = off(&["tallyman.dev/group", "tallyman.dev/submission-uid"]);
        // A Job that has no label left gets those of its template from the server, and ours are among them.
        labels["example.com/mine"] = json!("here");
        let annotations: Value =
            off(&["tallyman.dev/attempt", "tallyman.dev/digest", "tallyman.dev/hold-until"]);
        let cases = [
            ("labels", json!({"labels": labels})),
            ("annotations", json!({"annotations": annotations})),
            ("hold", json!({"finalizers": null})),
            (
                "all",
                json!({"labels": labels, "annotations": annotations, "finalizers": ["example.com/mine"]}),
            ),
        ];
        for (name, _) in &cases {
            stage.submit(HERE, &run(name, "east", "1h")).await;
        }
        for (name, metadata) in &cases {
            stage.until_phase(HERE, name, "Running").await;
            let before = stage.east.find(HERE, "job", name).await.unwrap();
            stage.east.merge(HERE, "job", name, &json!({"metadata": metadata})).await;
            within("the marks are back", async || {
                let now = stage.east.find(HERE, "job", name).await.unwrap();
                let same = |field: &str| ours(&now["metadata"][field]).eq(&ours(&before["metadata"][field]));
                let dated = now["metadata"]["annotations"]["tallyman.dev/hold-until"].is_string();
                let held = now["metadata"]["finalizers"].as_array()?.contains(&json!(HOLD));
                (same("labels") && same("annotations") && dated && held).then_some(())
            })
            .await;
            let ledger = stage.ledger(HERE, name).await;
            let put_back = format!("intend put the marks back on Job {HERE}/{name} on east");
            assert!(ledger.contains(&put_back), "{name}: {ledger:#?}");
            assert_eq!(stage.until_phase(HERE, name, "Running").await.message(), "");
        }
        let theirs = stage.east.find(HERE, "job", "all").await.unwrap();
        let finalizers = theirs["metadata"]["finalizers"].as_array().unwrap();
        assert!(finalizers.contains(&json!("example.com/mine")), "what others put on stays: {finalizers:?}");
        a_config_map_too(stage).await;
        stage.east.merge(HERE, "job", "all", &json!({"metadata": {"finalizers": [HOLD]}})).await;
        for (name, _) in &cases {
            stage.delete(HERE, name).await;
        }
        for (name, _) in &cases {
            stage.until_gone(HERE, name).await;
        }
    });
}

/// Our marks but for the date, which is that of the putting back.
fn ours(map: &Value) -> Vec<(String, Value)> {
    let all = map.as_object().cloned().unwrap_or_default().into_iter();
    all.filter(|(key, _)| key.starts_with("tallyman.dev/") && key != "tallyman.dev/hold-until").collect()
}

/// ConfigMaps are not watched: a sweep finds it.
async fn a_config_map_too(stage: &crate::stage::Stage) {
    let bare = json!({"metadata": {"labels": null}});
    stage.east.merge(HERE, "configmap", "labels-input", &bare).await;
    within("the ConfigMap's labels are back", async || {
        let now = stage.east.find(HERE, "configmap", "labels-input").await?;
        now["metadata"]["labels"]["tallyman.dev/group"].is_string().then_some(())
    })
    .await;
}
