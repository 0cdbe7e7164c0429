//! What was sent, what a cluster answered, and what its watch has told of: three things, told apart.

use crate::client::run;
use crate::dev::{Dev, path, runnable, until};
use crate::outages::with_a_cluster;
use serde_json::Value;
use tallyman_chaos::{Fault, Matching, Refuse, Verb};

async fn observed(dev: &Dev) -> Option<(String, String)> {
    let url = dev.replicas()[0].url.clone();
    let answer = dev.get(&url, &path("namespaces/risk/runnables/report")).await?;
    let conditions = answer.body["status"]["conditions"].as_array()?.clone();
    let is_it = |one: &&Value| one["type"] == "Observed";
    let one = conditions.iter().find(is_it)?.clone();
    Some((one["status"].as_str()?.to_owned(), one["message"].as_str()?.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_may_not_be_watched_says_so_and_is_observed_as_soon_as_it_may_be() {
    let (_folder, cluster, _, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    let refuse = || Refuse { message: "jobs.batch is forbidden: no watch".to_owned(), ..Refuse::status(403) };
    let faults: Vec<_> = [Verb::List, Verb::Watch]
        .map(|verb| {
            let jobs = Matching::verb(verb).resource("jobs");
            cluster.faults().always(jobs, Fault::Refuse(refuse()))
        })
        .into();
    cluster.faults().close_watches();
    until("that is known of the cluster", async || {
        let answer = dev.get(&url, &path("clusters/plant")).await?;
        answer.body["status"]["message"].as_str()?.contains("no watch").then_some(())
    })
    .await;
    assert_eq!(dev.submit(&url, "risk", &runnable("report", "100ms")).await.unwrap().status, 201);
    let said = until("it is said of the run", async || {
        let (status, message) = observed(&dev).await?;
        (status == "False").then_some(message)
    })
    .await;
    assert!(said.starts_with("created, not watched") && said.contains("no watch"), "{said}");
    for fault in faults {
        cluster.faults().remove(fault);
    }
    dev.until_phase("risk", "report", "Succeeded").await;
    assert_eq!(observed(&dev).await.unwrap().0, "True");
    let history = run(&dev, &["history", "risk/report"]).await;
    let order: Vec<usize> = ["sent", "created", "its watch told of it: Job uid"]
        .map(|word| history.out.find(word).unwrap())
        .into();
    assert!(order.is_sorted(), "{}", history.out);
}
