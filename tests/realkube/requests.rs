//! What a run costs the apiserver, as its audit log has it.

use crate::stage::{on_east, run, within};

const HERE: &str = "requests";
const RUNS: u64 = 10;

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_job_with_a_config_map_is_two_creates_and_one_patch() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        for number in 0..RUNS {
            stage.submit(HERE, &run(&format!("run-{number}"), "east", "1s")).await;
        }
        for number in 0..RUNS {
            stage.until_phase(HERE, &format!("run-{number}"), "Succeeded").await;
        }
        within("the holds are released", async || {
            let jobs = stage.east.list(HERE, "jobs").await;
            jobs.iter().all(|job| job["metadata"]["finalizers"].is_null()).then_some(())
        })
        .await;
        let counts = stage.east.requests_in(HERE, "tallyman");
        let count = |what: &str| counts.get(what).copied().unwrap_or(0);
        assert_eq!((count("create configmaps"), count("create jobs")), (RUNS, RUNS), "{counts:?}");
        // A controller that changes a Job behind its end has the release read it and try again.
        let patches = count("patch jobs");
        assert!((RUNS..RUNS + RUNS / 2).contains(&patches), "{counts:?}");
        // So does a sweep that listed while a Job was made.
        let all: u64 = counts.values().sum();
        assert!(all <= 3 * RUNS + RUNS, "{counts:?}");
        eprintln!("{RUNS} runs of a Job with a ConfigMap: {counts:?}");
    });
}
