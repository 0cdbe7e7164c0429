//! Jobs that the cluster removes as soon as they have ended.

use crate::stage::{job, on_east, run, within};
use serde_json::json;

const HERE: &str = "ttl";

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn the_end_of_a_job_with_ttl_zero_is_never_lost() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        for number in 0..10 {
            let mut good = run(&format!("good-{number}"), "east", "1s");
            job(&mut good)["spec"]["ttlSecondsAfterFinished"] = json!(0);
            stage.submit(HERE, &good).await;
            let mut bad = run(&format!("bad-{number}"), "east", "1s");
            let spec = &mut job(&mut bad)["spec"];
            spec["ttlSecondsAfterFinished"] = json!(0);
            spec["backoffLimit"] = json!(0);
            spec["template"]["metadata"]["annotations"]["simulate.tallyman.dev/outcome"] = json!("fail");
            stage.submit(HERE, &bad).await;
        }
        for number in 0..10 {
            let run = stage.until_phase(HERE, &format!("good-{number}"), "Succeeded").await;
            run.is("Succeeded", "Completed", &[]);
            let run = stage.until_phase(HERE, &format!("bad-{number}"), "Failed").await;
            run.is("Failed", "ObjectFailed", &["BackoffLimitExceeded"]);
        }
        within("the cluster has removed them", async || {
            stage.east.list(HERE, "jobs").await.is_empty().then_some(())
        })
        .await;
        let made = stage.east.jobs_made(HERE);
        assert!(made.len() == 20 && made.values().all(|times| *times == 1), "{made:?}");
    });
}
