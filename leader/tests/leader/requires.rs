//! Runs that require a deployable, on simulated clusters over real sockets.

use crate::sockets::Wired;
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_chaos::{Matching, Verb};
use tallyman_model::command::{Target, Withdraw};
use tallyman_model::{Command, Env, Phase, Reason, manifest};
use tokio::time::Instant;

/// Much less than the time after which a run that waits is looked at by the clock.
const AT_ONCE: Duration = Duration::from_secs(20);

impl Wired {
    fn submit_requiring(&self, name: &str, requires: Value) {
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"template": {"spec": pod}}});
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"requires": [requires], "manifests": [job]},
        });
        let submit = manifest::accept(value, "risk", self.state.env.uid()).expect("it is well-formed");
        self.ok(Command::Submit(Box::new(submit)));
    }

    async fn until_said(&self, name: &str, words: &str) {
        self.until(words, |wired| wired.get(name).message.ends_with(words)).await;
        let run = self.get(name);
        assert_eq!((run.phase, run.reason), (Phase::Accepted, Reason::AwaitingDeployable));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_by_itself_where_the_deployable_gets_there_also_under_another_leader() {
    let mut wired = Wired::upgraded(&["east", "west"]).await;
    wired.lead();
    wired.submit_requiring("report", json!({"deployable": "settings"}));
    wired.until_said("report", "east, west lack deployable settings (there is none of that name)").await;
    // It cannot be made at first.
    let create = Matching::verb(Verb::Create).resource("configmaps");
    wired.clusters[1].faults().refuse_next(1_000, create, 429);
    wired.deploy(|value| value["spec"]["placement"] = json!({"clusters": ["west"]}));
    wired.submit_requiring("other", json!({"deployable": "settings", "revision": 1}));
    let words = "east lacks deployable settings (it is not to be there), \
                 west lacks deployable settings (revision 1 is not all applied there yet)";
    wired.until_said("other", words).await;
    assert_eq!(wired.clusters[1].requests().of(Verb::Create, "jobs"), 0);
    wired.lead();
    wired.clusters[1].faults().clear();
    wired.until("it is there", |wired| wired.is_synced()).await;
    let since = Instant::now();
    for name in ["report", "other"] {
        wired.until("it ends", |wired| wired.get(name).phase == Phase::Succeeded).await;
        assert_eq!(wired.get(name).attempt().unwrap().cluster_name, "west");
    }
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_for_its_revision_and_says_so_when_the_deployable_is_removed_meanwhile() {
    let mut wired = Wired::upgraded(&["east"]).await;
    wired.lead();
    wired.deploy(|_| {});
    wired.until("it is there", |wired| wired.is_synced()).await;
    wired.submit_requiring("report", json!({"deployable": "settings", "revision": 2}));
    wired.until_said("report", "lacks deployable settings (revision 1 is there and not 2)").await;
    wired.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan: false }));
    wired.until("it is gone", |wired| wired.deployable().is_none()).await;
    wired.submit_requiring("later", json!({"deployable": "settings", "revision": 2}));
    wired.until_said("later", "lacks deployable settings (there is none of that name)").await;
    wired.deploy(|_| {});
    wired.redeploy("debug", |_| {});
    for name in ["report", "later"] {
        wired.until("it ends", |wired| wired.get(name).phase == Phase::Succeeded).await;
    }
}
