//! What goes wrong, in words that a person can act on.

use crate::dev::signal;
use crate::session::Session;
use rustix::process::Signal;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn refusals_are_told_in_words() {
    let mut kubectl = Session::start().await;
    kubectl.done("kubectl create -f run.yaml").await;
    kubectl.done("kubectl wait --for=condition=Finished runnable/report --timeout=60s").await;
    kubectl
        .lines(
            "kubectl get runnable nobody
             kubectl delete runnable nobody
             kubectl create -f run.yaml
             kubectl create -f bad.yaml
             kubectl create -f bad.yaml --dry-run=server
             kubectl create -f bad.yaml --validate=false
             kubectl create -f nowhere.yaml
             kubectl create -f nowhere.yaml --dry-run=server
             kubectl delete runnable report --cascade=orphan
             kubectl get run --field-selector status.phase=Sleeping
             kubectl get run --field-selector spec.colour=red
             kubectl get run -l 'desk in ('
             kubectl get pods
             kubectl get namespaces
             kubectl logs report
             kubectl exec report -- date
             kubectl scale runnable/report --replicas=2
             kubectl rollout status runnable/report
             kubectl set image runnable/report main=alpine
             kubectl create job now --image=busybox
             kubectl get --raw /nowhere
             kubectl get --raw '/apis/tallyman.dev/v1/runnables?limit=many'
             kubectl get clusters nowhere
             kubectl delete replica r1",
        )
        .await;
    kubectl.compare("errors").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn without_a_quorum_nothing_is_written_and_that_is_said() {
    let mut kubectl = Session::start().await;
    kubectl.done("kubectl create -f run.yaml").await;
    kubectl.done("kubectl wait --for=condition=Finished runnable/report --timeout=60s").await;
    let others: Vec<_> =
        kubectl.dev.replicas().into_iter().filter(|one| one.id != kubectl.follower.id).collect();
    others.iter().for_each(|other| signal(other.pid, Signal::STOP));
    let raw = "kubectl get --raw '/apis/tallyman.dev/v1/namespaces/risk/runnables/report?consistency=stale'";
    assert_eq!(kubectl.quietly(raw).await.code, 0);
    let read = kubectl.quietly("kubectl get runnable report").await;
    let write = kubectl.quietly("kubectl create -f other.yaml").await;
    others.iter().for_each(|other| signal(other.pid, Signal::CONT));
    assert!(read.code == 1 && read.text.contains("the newest state cannot be confirmed"), "{read:?}");
    let told =
        ["nothing was changed", "the outcome is unknown"].iter().any(|words| write.text.contains(words));
    assert!(write.code == 1 && told, "{write:?}");
    crate::dev::until("there is a quorum again", async || {
        let said = kubectl.quietly("kubectl get runnable report --request-timeout=5s").await;
        (said.code == 0).then_some(())
    })
    .await;
}
