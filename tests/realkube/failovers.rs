//! Leaders that are killed while creates of theirs are ambiguous: answers lost after the create took effect, requests
//! that arrive a minute later.

use crate::dev::{Dev, answer, path, signal};
use crate::front::{Fault, Front};
use crate::stage::{on_east, run, within};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

const HERE: &str = "failovers";
/// When nobody asks for more: `FAILOVERS=N` does.
const FAILOVERS: usize = 50;
/// How much later requests of deposed leaders arrive.
const LATE: Duration = Duration::from_secs(60);

#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
fn failovers() -> usize {
    std::env::var("FAILOVERS").map_or(FAILOVERS, |text| text.parse().unwrap())
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn fifty_leaders_die_with_ambiguous_creates_and_there_is_one_job_of_each_submission() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        let folder = tempfile::tempdir().unwrap();
        let front = Front::before(&stage.east).await;
        // Another group than the stage's, whose leader others count on.
        let option = format!("{}=east", front.kubeconfig(folder.path(), "east").display());
        let dev = Dev::start_in(&folder.path().join("dev"), &["--kubeconfig", &option]).await;
        let all = failovers();
        for number in 0..all {
            let fault = if number % 2 == 0 { Fault::Lost } else { Fault::Late(LATE) };
            let met = front.met();
            front.meet(&[fault]);
            submit(&dev, &format!("ambiguous-{number}")).await;
            within("the create meets its fault", async || (front.met() > met).then_some(())).await;
            signal(dev.leader().await.pid, Signal::KILL);
            submit(&dev, &format!("after-{number}")).await;
        }
        let mut uids = Vec::new();
        for name in (0..all).flat_map(|number| [format!("ambiguous-{number}"), format!("after-{number}")]) {
            let run = within(&format!("{name} has succeeded"), async || {
                let run = read(&dev, &name).await?;
                (run["status"]["phase"] == json!("Succeeded")).then_some(run)
            })
            .await;
            let attempts = run["status"]["attempts"].as_array().unwrap();
            assert_eq!(attempts.len(), 1, "{name}");
            let objects = attempts[0]["objects"].as_array().unwrap();
            let job = objects.iter().find(|object| object["kind"] == "Job").unwrap();
            uids.push((name, job["uid"].clone()));
        }
        // The last ones of the deposed leaders have arrived.
        tokio::time::sleep(LATE).await;
        let jobs = stage.east.list(HERE, "jobs").await;
        let made = stage.east.jobs_made(HERE);
        assert!(made.values().all(|times| *times == 1), "made twice: {made:?}");
        // Not `made.len()`: of a create whose client is gone the audit log says 504, though it took effect.
        assert_eq!(jobs.len(), 2 * all);
        for (name, uid) in uids {
            let job = jobs.iter().find(|job| job["metadata"]["name"] == json!(name)).unwrap();
            assert_eq!(job["metadata"]["uid"], uid, "{name}");
        }
        eprintln!("{all} failovers with an ambiguous create, {} submissions: 0 lost, 0 made twice", 2 * all);
    });
}

async fn submit(dev: &Dev, name: &str) {
    let mut turn = 0;
    within("a submission is acknowledged", async || {
        let replicas = dev.replicas();
        turn += 1;
        let url = &replicas[turn % replicas.len()].url;
        let url = format!("{url}{}", path(&format!("namespaces/{HERE}/runnables")));
        let request = dev.http.post(url).header("idempotency-key", name).json(&run(name, "east", "1s"));
        let answer = answer(request.timeout(Duration::from_secs(5))).await?;
        (answer.status == 201).then_some(())
    })
    .await;
}

async fn read(dev: &Dev, name: &str) -> Option<Value> {
    for replica in dev.replicas() {
        if let Some(answer) = dev.read(&replica.url, HERE, name).await.filter(|answer| answer.status == 200) {
            return Some(answer.body);
        }
    }
    None
}
