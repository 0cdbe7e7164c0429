//! kubectl while the leader is killed.

use crate::dev::{signal, until};
use crate::session::{Said, Session};
use rustix::process::Signal;

/// Rounds of commands; the leader is killed in the middle of them.
const ROUNDS: usize = 12;

/// A write whose leader died may have been done or not, and says so. Nothing else may go wrong.
fn is_unknown(said: &Said) -> bool {
    said.code != 0 && said.text.contains("the outcome is unknown")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn commands_go_on_while_the_leader_is_killed() {
    let kubectl = Session::start().await;
    let leader = kubectl.dev.leader().await;
    let killing = async {
        until("half of the rounds are done", async || {
            let said = kubectl
                .dev
                .get(&kubectl.follower.url, "/apis/tallyman.dev/v1/runnables?consistency=stale")
                .await?;
            (said.body["items"].as_array()?.len() >= ROUNDS / 2).then_some(())
        })
        .await;
        signal(leader.pid, Signal::KILL);
    };
    let asking = async {
        let mut unknown = Vec::new();
        for round in 0..ROUNDS {
            let run = format!("sed 's/name: report/name: run-{round}/' run.yaml | kubectl create -f -");
            for line in [
                run,
                format!("kubectl get runnable run-{round} -o wide"),
                format!("kubectl label runnable run-{round} round={round} --overwrite"),
                "kubectl create -f other.yaml --dry-run=server".to_owned(),
                "kubectl get runnables --chunk-size=3".to_owned(),
            ] {
                let said = kubectl.quietly(&line).await;
                let lost = unknown.contains(&round) && said.text.contains("not found");
                assert!(said.code == 0 || is_unknown(&said) || lost, "{line}: {said:?}");
                if is_unknown(&said) {
                    unknown.push(round);
                }
            }
        }
        unknown
    };
    let ((), unknown) = tokio::join!(killing, asking);
    let said = kubectl.quietly("kubectl wait --for=condition=Finished runnable --all --timeout=60s").await;
    assert_eq!(said.code, 0, "{said:?}");
    let finished = said.text.lines().filter(|line| line.contains("condition met")).count();
    assert!(
        finished + unknown.len() >= ROUNDS && finished <= ROUNDS,
        "{finished}, unknown {unknown:?}: {said:?}"
    );
    assert_ne!(kubectl.dev.leader().await.id, "", "somebody leads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn a_wait_and_a_watch_outlive_the_leader() {
    let kubectl = Session::start().await;
    assert_eq!(
        kubectl.quietly("sed 's/run-for: 1s/run-for: 4s/' run.yaml | kubectl create -f -").await.code,
        0
    );
    let (waited, watched, ()) = tokio::join!(
        kubectl.quietly("kubectl wait --for=condition=Succeeded runnable/report --timeout=100s"),
        kubectl.quietly("kubectl get runnables -w --request-timeout=30s"),
        async {
            kubectl.dev.until_phase("risk", "report", "Running").await;
            signal(kubectl.dev.leader().await.pid, Signal::KILL);
        }
    );
    assert!(waited.code == 0 && waited.text.contains("condition met"), "{waited:?}");
    assert!(watched.text.contains("Running") && watched.text.contains("Succeeded"), "{watched:?}");
}
