//! Approvals on real processes: nothing that needs them reaches a cluster before enough people gave them, whoever races
//! with whom, and whoever dies.

use crate::dev::{Answer, Dev, Replica, answer, binary, path, runnable, signal, until};
use crate::witness::Witness;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const LEADS: &str = "risk-leads";

/// Submits, as ann, a run that `required` of the leads must approve; gives its UID and digest.
async fn submit(dev: &Dev, name: &str, required: u32, change: impl FnOnce(&mut Value)) -> (String, String) {
    let mut body = runnable(name, "200ms");
    body["spec"]["approvals"] = json!({"required": required, "groups": [LEADS]});
    change(&mut body);
    let url = format!("{}{}", dev.replicas()[0].url, path("namespaces/risk/runnables"));
    let request = dev.http.post(url).header("impersonate-user", "ann").json(&body);
    let document = answer(request).await.unwrap();
    assert_eq!(document.status, 201, "{document:?}");
    assert_eq!(document.body["status"]["phase"], "Held");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&document.body["metadata"]["uid"]), text(&document.body["status"]["digest"]))
}

fn post(dev: &Dev, replica: &Replica, name: &str, action: &str) -> reqwest::RequestBuilder {
    let path = path(&format!("namespaces/risk/runnables/{name}/{action}"));
    dev.http.post(format!("{}{path}", replica.url)).timeout(Duration::from_secs(10))
}

/// One person's decision on one replica, repeated until it is answered.
async fn decide(dev: &Dev, replica: usize, name: &str, user: &str, decision: &str, digest: &str) -> Answer {
    let body = json!({"decision": decision, "digest": digest, "reason": format!("says {user}")});
    until("a decision is answered", async || {
        let replica = dev.replicas()[replica].clone();
        let request = post(dev, &replica, name, "approvals").json(&body);
        let request = request.header("impersonate-user", user).header("impersonate-group", LEADS);
        let request = request.header("idempotency-key", format!("{name}-{user}-{decision}"));
        answer(request).await.filter(|answer| !matches!(answer.status, 429 | 503 | 504))
    })
    .await
}

async fn approve(dev: &Dev, replica: usize, name: &str, user: &str, digest: &str) -> Answer {
    decide(dev, replica, name, user, "Approve", digest).await
}

/// The ledger records about one run, and that every replica's chain holds.
async fn ledger_of(dev: &Dev, name: &str) -> Vec<Value> {
    for replica in dev.replicas() {
        let verified = tallyman(&replica.url, &["audit", "verify"]).await;
        assert!(verified.status.success(), "{verified:?}");
    }
    let query = format!("auditrecords?fieldSelector=spec.submission%3Drisk/{name}&limit=500");
    let list = dev.get(&dev.replicas()[0].url, &path(&query)).await.unwrap();
    assert_eq!(list.status, 200, "{list:?}");
    list.body["items"].as_array().unwrap().iter().map(|item| item["spec"].clone()).collect()
}

async fn tallyman(server: &str, arguments: &[&str]) -> std::process::Output {
    tokio::process::Command::new(binary())
        .args(arguments)
        .env("TALLYMAN_SERVER", server)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap()
}

/// No create was intended before the last decision that made it enough.
fn assert_sent_after_approval(records: &[Value], required: usize) {
    let mut approved = 0;
    for record in records {
        match record["verb"].as_str().unwrap() {
            "approve" => approved += 1,
            "place" | "intend" => {
                assert!(approved >= required, "sent after {approved} approvals: {records:#?}")
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_people_on_three_replicas_at_once_are_enough_for_two_and_it_runs_once() {
    let dev = Dev::start(&[]).await;
    let (witness, watches) = Witness::of(dev.clusters());
    for round in 0..5 {
        let name = format!("at-once-{round}");
        let (uid, digest) = submit(&dev, &name, 2, |_| {}).await;
        let (bob, cat, dan) = tokio::join!(
            approve(&dev, 0, &name, "bob", &digest),
            approve(&dev, 1, &name, "cat", &digest),
            approve(&dev, 2, &name, "dan", &digest),
        );
        let mut statuses = [bob.status, cat.status, dan.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 201, 409], "two are enough, and the third is told so");
        let run = dev.until_phase("risk", &name, "Succeeded").await;
        assert_eq!(run["status"]["approvals"]["given"].as_array().unwrap().len(), 2);
        assert_eq!(witness.jobs_of().get(&uid), Some(&1), "Jobs ever made for {name}");
        assert_sent_after_approval(&ledger_of(&dev, &name).await, 2);
    }
    watches.iter().for_each(|watch| watch.abort());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_counts_once_and_neither_the_submitter_nor_strangers_nor_another_digest_count() {
    let dev = Dev::start(&[]).await;
    let (witness, watches) = Witness::of(dev.clusters());
    let (uid, digest) = submit(&dev, "four-eyes", 2, |_| {}).await;
    // One person on three replicas at once, with and without a key.
    let keyless = async |replica: usize| {
        let replica = dev.replicas()[replica].clone();
        let body = json!({"decision": "Approve", "digest": digest});
        let request = post(&dev, &replica, "four-eyes", "approvals").json(&body);
        answer(request.header("impersonate-user", "bob").header("impersonate-group", LEADS))
            .await
            .unwrap()
            .status
    };
    let (a, b, c) = tokio::join!(keyless(0), keyless(1), keyless(2));
    let mut statuses = [a, b, c];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 201]);
    assert_eq!(approve(&dev, 1, "four-eyes", "ann", &digest).await.status, 403, "the submitter");
    let stale = approve(&dev, 1, "four-eyes", "cat", &format!("sha256:{}", "0".repeat(64))).await;
    assert_eq!(stale.status, 409);
    assert!(stale.body["message"].as_str().unwrap().contains(&digest), "{stale:?}");
    let body = json!({"decision": "Approve", "digest": digest});
    let replica = dev.replicas()[2].clone();
    let request = post(&dev, &replica, "four-eyes", "approvals").json(&body);
    let request = request.header("impersonate-user", "eve").header("impersonate-group", "staff");
    assert_eq!(answer(request).await.unwrap().status, 403, "of no group that decides");

    let run = dev.read(&dev.replicas()[1].url, "risk", "four-eyes").await.unwrap().body;
    assert_eq!(run["status"]["phase"], "Held");
    assert!(run["status"]["message"].as_str().unwrap().starts_with("1 of 2 approvals, by bob;"), "{run}");
    assert_eq!(witness.jobs_of().get(&uid), None, "it was sent before enough people approved");
    assert_eq!(approve(&dev, 0, "four-eyes", "dan", &digest).await.status, 201);
    dev.until_phase("risk", "four-eyes", "Succeeded").await;
    assert_eq!(witness.jobs_of().get(&uid), Some(&1));
    watches.iter().for_each(|watch| watch.abort());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_and_a_cancel_at_once_give_a_run_that_ran_once_or_never() {
    let dev = Arc::new(Dev::start(&[]).await);
    let (witness, watches) = Witness::of(dev.clusters());
    for round in 0..10 {
        let name = format!("race-{round}");
        let (uid, digest) = submit(&dev, &name, 1, |_| {}).await;
        let replicas = dev.replicas();
        let cancel = async {
            let request = post(&dev, &replicas[round % 3], &name, "cancel").header("impersonate-user", "ann");
            answer(request).await.unwrap().status
        };
        let (approved, cancelled) =
            tokio::join!(approve(&dev, (round + 1) % 3, &name, "bob", &digest), cancel);
        let ended = until("the run has ended", async || {
            let run = dev.read(&dev.replicas()[0].url, "risk", &name).await?.body;
            run["status"]["conditions"]
                .as_array()?
                .iter()
                .any(|one| one["type"] == "Finished" && one["status"] == "True")
                .then_some(run)
        })
        .await;
        let phase = ended["status"]["phase"].as_str().unwrap();
        let jobs = witness.jobs_of().get(&uid).copied().unwrap_or(0);
        match (approved.status, cancelled) {
            // The cancel came first: the approval was told, and nothing was ever sent.
            (409, 200) => assert_eq!((phase, jobs), ("Cancelled", 0), "{ended}"),
            (201, 200) => assert!(matches!(phase, "Cancelled" | "Succeeded") && jobs <= 1, "{jobs} {ended}"),
            // It had ended before the cancel came.
            (201, 409) => assert_eq!((phase, jobs), ("Succeeded", 1), "{ended}"),
            other => panic!("{other:?}: {ended}"),
        }
        assert_sent_after_approval(&ledger_of(&dev, &name).await, 1);
    }
    watches.iter().for_each(|watch| watch.abort());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejection_and_a_passed_time_end_a_run_and_a_retry_asks_everybody_again() {
    let dev = Dev::start(&[]).await;
    let (witness, watches) = Witness::of(dev.clusters());
    let (uid, digest) = submit(&dev, "rejected", 2, |_| {}).await;
    assert_eq!(approve(&dev, 0, "rejected", "bob", &digest).await.status, 201);
    assert_eq!(decide(&dev, 1, "rejected", "cat", "Reject", &digest).await.status, 201);
    let run = dev.until_phase("risk", "rejected", "Failed").await;
    assert_eq!(
        (&run["status"]["reason"], &run["status"]["message"]),
        (&json!("Rejected"), &json!("cat rejected it: says cat"))
    );
    let retry = post(&dev, &dev.replicas()[2], "rejected", "retry").header("impersonate-user", "ann");
    let again = answer(retry).await.unwrap();
    assert_eq!((again.status, &again.body["status"]["phase"]), (200, &json!("Held")));
    assert_eq!(again.body["status"]["approvals"]["approved"], 0, "what was decided before is void");
    assert_eq!(witness.jobs_of().get(&uid), None);

    let (uid, digest) =
        submit(&dev, "slow", 2, |body| body["spec"]["approvals"]["expireAfter"] = json!("2s")).await;
    // This may come too late on a busy machine; the run is not approved by it either way.
    let status = approve(&dev, 0, "slow", "bob", &digest).await.status;
    assert!(matches!(status, 201 | 409), "{status}");
    let run = dev.until_phase("risk", "slow", "Failed").await;
    assert_eq!(run["status"]["reason"], "ApprovalExpired");
    assert!(
        run["status"]["message"].as_str().unwrap().starts_with("it was not approved within 2s: "),
        "{run}"
    );
    assert_eq!(approve(&dev, 1, "slow", "cat", &digest).await.status, 409);
    assert_eq!(witness.jobs_of().get(&uid), None);

    let records = ledger_of(&dev, "rejected").await;
    let decisions: Vec<(&str, &str)> = records
        .iter()
        .filter(|record| record["verb"] == "approve")
        .map(|record| (record["user"].as_str().unwrap(), record["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(decisions.len(), 2);
    assert!(
        decisions[0].0 == "bob" && decisions[0].1.starts_with(&format!("approved {}", run_digest(&records))),
        "{decisions:?}"
    );
    assert!(decisions[1].0 == "cat" && decisions[1].1.contains("says cat"), "{decisions:?}");
    watches.iter().for_each(|watch| watch.abort());
}

/// The digest that the record of a submission names.
fn run_digest(records: &[Value]) -> &str {
    records.iter().find(|record| record["verb"] == "submit").unwrap()["digest"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_between_two_approvals_loses_none_and_sends_nothing_early() {
    let dev = Dev::start(&[]).await;
    let (witness, watches) = Witness::of(dev.clusters());
    let (uid, digest) = submit(&dev, "outlives", 2, |_| {}).await;
    assert_eq!(approve(&dev, 0, "outlives", "bob", &digest).await.status, 201);
    let leader = dev.leader().await;
    signal(leader.pid, Signal::KILL);
    until("another replica leads, or it again as another process", async || {
        let now = dev.leader().await;
        (now.pid != leader.pid).then_some(())
    })
    .await;
    let run = until("the run is read", async || {
        dev.read(&dev.replicas()[1].url, "risk", "outlives").await.filter(|answer| answer.status == 200)
    })
    .await;
    assert_eq!(run.body["status"]["phase"], "Held");
    assert_eq!(run.body["status"]["approvals"]["given"][0]["user"], "bob");
    assert_eq!(witness.jobs_of().get(&uid), None);
    assert_eq!(approve(&dev, 2, "outlives", "cat", &digest).await.status, 201);
    dev.until_phase("risk", "outlives", "Succeeded").await;
    assert_eq!(witness.jobs_of().get(&uid), Some(&1));
    until("all replicas are back", async || {
        for replica in dev.replicas() {
            (dev.get(&replica.url, "/readyz").await?.status == 200).then_some(())?;
        }
        Some(())
    })
    .await;
    assert_sent_after_approval(&ledger_of(&dev, "outlives").await, 2);
    watches.iter().for_each(|watch| watch.abort());
}

/// What a command printed, and its exit code.
async fn as_bob(server: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let whom = ["--as", "bob", "--as-group", LEADS];
    let output = tallyman(server, &[arguments, whom.as_slice()].concat()).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_shows_what_has_changed_and_decides_on_exactly_that() {
    let dev = Dev::start(&[]).await;
    let server = dev.replicas()[1].url.clone();
    let generated = |image: &'static str| {
        move |body: &mut Value| {
            body["metadata"] = json!({"generateName": "nightly-report-"});
            body["spec"]["manifests"][0]["metadata"] = json!({"generateName": "input-"});
            body["spec"]["manifests"][1]["metadata"]["generateName"] = json!("nightly-report-");
            body["spec"]["manifests"][1]["metadata"].as_object_mut().unwrap().remove("name");
            body["spec"]["manifests"][1]["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        }
    };
    let name_of = async |uid: &str| {
        let list = dev.get(&server, &path("namespaces/risk/runnables")).await.unwrap().body;
        let items = list["items"].as_array().unwrap().clone();
        let found = items.into_iter().find(|item| item["metadata"]["uid"] == json!(uid)).unwrap();
        found["metadata"]["name"].as_str().unwrap().to_owned()
    };
    let (uid, digest) = submit(&dev, "generated", 1, generated("busybox:1")).await;
    let first = name_of(&uid).await;
    let reference = format!("risk/{first}");

    // Without a terminal nothing is asked, and nothing decided.
    let (code, shown, complaint) = as_bob(&server, &["approve", &reference]).await;
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains(&format!("--digest {digest} --yes")), "{complaint}");
    for words in
        ["submitted by ann", "0 of 1 approvals", "risk-leads", &digest, "image: busybox:1", "no earlier run"]
    {
        assert!(shown.contains(words), "{words:?} is not in {shown}");
    }
    let own = tallyman(&server, &["approve", &reference, "--yes", "--as", "ann", "--as-group", LEADS]).await;
    assert_eq!(own.status.code(), Some(6), "{own:?}");
    let other = format!("sha256:{}", "0".repeat(64));
    let (code, _, complaint) = as_bob(&server, &["approve", &reference, "--yes", "--digest", &other]).await;
    assert!(code == Some(4) && complaint.contains(&digest), "{complaint}");
    let (code, shown, complaint) =
        as_bob(&server, &["approve", &reference, "--yes", "--reason", "fine"]).await;
    assert!(code == Some(0) && shown.contains("approved   Accepted"), "{shown} {complaint}");
    dev.until_phase("risk", &first, "Succeeded").await;

    let (uid, _) = submit(&dev, "generated", 1, generated("busybox:2")).await;
    let second = name_of(&uid).await;
    let (code, shown, _) = as_bob(
        &server,
        &["approve", &format!("risk/{second}"), "--reject", "--yes", "--reason", "old image"],
    )
    .await;
    assert_eq!(code, Some(0), "{shown}");
    for words in [
        &format!("--- risk/{first}"),
        &format!("+++ risk/{second}"),
        "image: busybox:1",
        "image: busybox:2",
        "rejected   Failed: bob rejected it: old image",
    ] {
        assert!(shown.contains(words), "{words:?} is not in {shown}");
    }
    assert!(!shown.contains("kind: ConfigMap\n+"), "what has not changed is context at most: {shown}");
    let waited = tallyman(&server, &["wait", &format!("risk/{second}")]).await;
    assert_eq!(waited.status.code(), Some(8), "{waited:?}");
    let told = tallyman(&server, &["history", &format!("risk/{first}")]).await;
    let told = String::from_utf8(told.stdout).unwrap();
    for words in ["held", "approved", "bob", "fine", "succeeded"] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}
