//! A watch that cannot go on where it stopped.

use crate::dev::signal;
use crate::stage::{on_west, run, within};
use rustix::process::Signal;
use serde_json::Value;

const HERE: &str = "compacted";

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn nothing_is_missed_when_the_history_behind_a_stopped_watch_was_compacted() {
    on_west(async |stage| {
        stage.west.namespace(HERE).await;
        let west = &stage.west;
        for (name, duration) in [("ends", "5s"), ("deleted", "1h"), ("stays", "1h")] {
            stage.submit(HERE, &run(name, "west", duration)).await;
        }
        for name in ["deleted", "stays"] {
            stage.until_phase(HERE, name, "Running").await;
        }
        // All of Tallyman stops; what happens now no watch of it sees.
        let replicas = stage.dev.replicas();
        let all = |what: Signal| replicas.iter().for_each(|replica| signal(replica.pid, what));
        let thaw = Thaw(replicas.iter().map(|replica| replica.pid).collect());
        all(Signal::STOP);
        let list: Value =
            serde_json::from_str(&west.kubectl(&["get", "--raw", "/apis/batch/v1/jobs?limit=1"]).await)
                .unwrap();
        let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        west.kubectl(&["delete", "job", "deleted", "-n", HERE, "--wait=false"]).await;
        within("a Job ends unseen", async || {
            let job = west.find(HERE, "job", "ends").await?;
            job["status"]["completionTime"].is_string().then_some(())
        })
        .await;
        west.compact().await;
        west.kill("kube-apiserver", "KILL").await;
        west.restart("kube-apiserver").await;
        let from = format!("/apis/batch/v1/jobs?watch=true&timeoutSeconds=1&resourceVersion={version}");
        let answer = west.try_kubectl(&["get", "--raw", &from]).await;
        let gone = answer.as_ref().map_or_else(String::as_str, String::as_str);
        assert!(gone.contains("too old resource version"), "the watch could go on: {answer:?}");
        drop(thaw);

        let ended = stage.until_phase(HERE, "ends", "Succeeded").await;
        ended.is("Succeeded", "Completed", &[]);
        let deleted = stage.until_phase(HERE, "deleted", "Failed").await;
        deleted.is("Failed", "ObjectGone", &["Job compacted/deleted"]);
        assert_eq!(stage.until_phase(HERE, "stays", "Running").await.message(), "");
        stage.delete(HERE, "stays").await;
        stage.until_gone(HERE, "stays").await;
        let made = west.jobs_made(HERE);
        assert!(made.len() == 3 && made.values().all(|times| *times == 1), "{made:?}");
    });
}

/// Lets processes go on, however the test ends.
struct Thaw(Vec<i32>);

impl Drop for Thaw {
    fn drop(&mut self) {
        self.0.iter().for_each(|pid| signal(*pid, Signal::CONT));
    }
}
