//! A Job that somebody deletes on the cluster while it runs.

use crate::stage::{on_east, run, within};
use serde_json::json;

const HERE: &str = "deleted";

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_job_deleted_by_hand_is_let_go_and_ends_its_run_as_object_gone() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        let ways = ["background", "foreground", "orphan"];
        for way in ways {
            stage.submit(HERE, &run(way, "east", "1h")).await;
        }
        for way in ways {
            let before = stage.until_phase(HERE, way, "Running").await;
            let cascade = format!("--cascade={way}");
            stage.east.kubectl(&["delete", "job", way, "-n", HERE, &cascade, "--wait=false"]).await;
            let run = stage.until_phase(HERE, way, "Failed").await;
            let uid = before.job()["uid"].as_str().unwrap().to_owned();
            run.is("Failed", "ObjectGone", &[&format!("Job {HERE}/{way}"), "east", &uid, "deleted", "retry"]);
            assert_eq!(run.job()["state"], json!("Gone"));
            assert!(run.condition("Finished").starts_with("True Failed"), "{}", run.condition("Finished"));
            within("the hold keeps nothing", async || {
                stage.east.find(HERE, "job", way).await.is_none().then_some(())
            })
            .await;
            let ledger = stage.ledger(HERE, way).await;
            let released = format!("intend release the hold of Job {HERE}/{way} on east");
            assert!(ledger.contains(&released), "{ledger:#?}");
        }
        let made = stage.east.jobs_made(HERE);
        assert!(ways.iter().all(|way| made[*way] == 1), "nothing was made again: {made:?}");
        let pods = stage.east.list(HERE, "pods").await;
        assert_eq!(pods.len(), 1, "orphaned Pods are not ours to remove");
        for way in ways {
            stage.delete(HERE, way).await;
            stage.until_gone(HERE, way).await;
        }
        assert_eq!(stage.east.list(HERE, "configmaps").await.len(), 0);
    });
}
