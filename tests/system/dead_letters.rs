//! What a cluster refuses, as users and operators meet it.

use crate::client::run;
use crate::dev::{path, runnable, until};
use crate::outages::with_a_cluster;
use serde_json::json;
use tallyman_chaos::{Fault, Matching, Refuse, Verb};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_a_cluster_forbade_are_found_in_one_list_and_retried_once_the_right_is_there() {
    let (_folder, cluster, _, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    let forbidden = Refuse { message: "jobs.batch is forbidden: no right".to_owned(), ..Refuse::status(403) };
    let jobs = Matching::verb(Verb::Create).resource("jobs");
    let fault = cluster.faults().always(jobs, Fault::Refuse(forbidden));
    for name in ["one", "two"] {
        let mut body = runnable(name, "10ms");
        body["spec"]["startBy"] = json!("5s");
        assert_eq!(dev.submit(&url, "risk", &body).await.unwrap().status, 201);
    }
    let mut patch = runnable("patch", "10ms");
    patch["spec"]["startBy"] = json!("5s");
    patch["spec"]["placement"] = json!({"fanOut": true});
    until("all replicas know of fan-outs", async || {
        (dev.submit(&url, "risk", &patch).await?.status == 201).then_some(())
    })
    .await;
    until("what is in the way is said", async || {
        let answer = dev.get(&url, &path("namespaces/risk/runnables/one")).await?;
        let status = &answer.body["status"];
        (status["reason"] == "NeedsOperator" && status["message"].as_str()?.contains("no right"))
            .then_some(())
    })
    .await;
    let dead = "runnables?fieldSelector=status.deadLetter%3Dtrue";
    until("all are dead letters, of the fan-out its run", async || {
        let answer = dev.get(&url, &path(dead)).await?;
        (answer.body["items"].as_array()?.len() == 3).then_some(())
    })
    .await;
    cluster.faults().remove(fault);
    let selector = "status.deadLetter=true,status.cluster=plant";
    let arguments =
        ["retry", "-A", "--field-selector", selector, "--yes", "--reason", "the role is there now"];
    let retried = run(&dev, &arguments).await;
    assert_eq!(retried.code, 0, "{retried:?}");
    dev.until_phase("risk", "patch", "Succeeded").await;
    for name in ["one", "two", "patch-plant"] {
        dev.until_phase("risk", name, "Succeeded").await;
        let history = run(&dev, &["history", &format!("risk/{name}")]).await;
        assert!(history.out.contains("the role is there now"), "{history:?}");
    }
    let again = run(&dev, &arguments).await;
    assert_eq!(again.code, 3, "nothing is left to retry: {again:?}");
}
