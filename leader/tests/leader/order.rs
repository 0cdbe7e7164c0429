//! In which order what is kept in sync is made and goes, on simulated clusters over real sockets.

use crate::sockets::Wired;
use serde_json::{Value, json};
use tallyman_chaos::{Matching, Verb};
use tallyman_model::Command;
use tallyman_model::command::{Target, Withdraw};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_need_is_made_before_them_and_goes_when_they_are_gone() {
    let mut wired = Wired::upgraded(&["east"]).await;
    wired.lead();
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "warm"},
        "spec": {"suspend": true, "template": {"spec": pod}}});
    let create = wired.clusters[0].faults().hold(Matching::verb(Verb::Create).resource("configmaps"));
    wired.deploy(|value| {
        // Written in the wrong order.
        value["spec"]["manifests"].as_array_mut().unwrap().insert(0, job);
        value["spec"]["manifests"].as_array_mut().unwrap().truncate(2);
    });
    create.wait_held(1).await;
    let made = |wired: &Wired| wired.clusters[0].requests().of(Verb::Create, "jobs");
    assert_eq!(made(&wired), 0, "its ConfigMap is not there yet");
    create.release();
    wired.until("it is there", |wired| wired.is_synced()).await;
    assert_eq!(made(&wired), 1);

    let delete = wired.clusters[0].faults().hold(Matching::verb(Verb::Delete).resource("jobs"));
    wired.ok(Command::Withdraw(Withdraw { target: Target::named("risk", "settings"), orphan: false }));
    delete.wait_held(1).await;
    assert_eq!(wired.data(0, "one").await["level"], "info", "the Job may need it still");
    delete.release();
    wired.until("it is gone", |wired| wired.deployable().is_none()).await;
    assert_eq!(wired.data(0, "one").await, Value::Null);
}
