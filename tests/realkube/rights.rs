//! Rights that are taken away while runs are under way, and given back.

use crate::stage::{Run, Stage, on_west, run, within};
use serde_json::{Value, json};
use std::time::Duration;

const HERE: &str = "rights";

/// Jobs without these verbs, all else as it is.
fn without(rules: &Value, verbs: &[&str]) -> Value {
    let mut rules = rules.clone();
    for rule in rules.as_array_mut().unwrap().iter_mut().filter(|rule| rule["resources"] == json!(["jobs"])) {
        rule["verbs"].as_array_mut().unwrap().retain(|verb| !verbs.contains(&verb.as_str().unwrap()));
    }
    rules
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_right_that_is_taken_away_is_named_costs_no_storm_and_is_used_again_when_it_is_back() {
    on_west(async |stage| {
        stage.west.namespace(HERE).await;
        stage.submit(HERE, &run("old", "west", "1h")).await;
        stage.until_phase(HERE, "old", "Running").await;
        let all = stage.west.rules().await;
        stage.west.allow(&without(&all, &["create", "delete"])).await;
        let lacks = |condition: &'static str, verb: &'static str| {
            move |run: &Run| {
                let said = run.condition(condition);
                said.contains(&format!("cannot {verb} resource \"jobs\"")) && said.contains(":tallyman\"")
            }
        };
        stage.submit(HERE, &run("new", "west", "1s")).await;
        stage.until_run(HERE, "new", "says that it may not create", lacks("Created", "create")).await;
        stage.delete(HERE, "old").await;
        stage.until_run(HERE, "old", "says that it may not delete", lacks("ObjectsRemoved", "delete")).await;
        costs_little(stage).await;
        stage.west.allow(&all).await;
        stage.until_phase(HERE, "new", "Succeeded").await;
        stage.until_gone(HERE, "old").await;
    });
}

async fn costs_little(stage: &Stage) {
    const TIME: Duration = Duration::from_secs(10);
    let before = stage.west.requests().await;
    tokio::time::sleep(TIME).await;
    let cost = stage.west.requests().await - before;
    eprintln!("two runs without rights cost {cost} requests in {TIME:?}");
    assert!(cost <= 30, "two runs without rights cost {cost} requests in {TIME:?}");
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_cluster_that_may_not_be_watched_says_so_and_sweeps_still_see_the_ends() {
    on_west(async |stage| {
        let here = "unwatched";
        stage.west.namespace(here).await;
        let all = stage.west.rules().await;
        stage.west.allow(&without(&all, &["watch"])).await;
        // A watch that is open stays open; the next one is refused.
        stage.west.restart("kube-apiserver").await;
        let words = within("the cluster says what is missing", async || {
            let status = stage.cluster("west").await["status"].clone();
            let message = status["message"].as_str().unwrap_or_default().to_owned();
            (status["reachable"] == json!(true) && message.contains("cannot watch")).then_some(message)
        })
        .await;
        assert!(words.contains("jobs"), "{words}");
        stage.submit(here, &run("seen", "west", "1s")).await;
        let seen = stage.until_phase(here, "seen", "Succeeded").await;
        let reachable = seen.condition("ClusterReachable");
        assert!(reachable.contains("cannot watch"), "{reachable}");
        stage.west.allow(&all).await;
        within("the cluster has nothing to say", async || {
            stage.cluster("west").await["status"]["message"].is_null().then_some(())
        })
        .await;
    });
}
