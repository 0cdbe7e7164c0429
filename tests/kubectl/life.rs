//! A run from its creation to its removal.

use crate::session::Session;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn a_run_is_created_seen_waited_for_and_deleted() {
    let mut kubectl = Session::start().await;
    kubectl.done("kubectl create -f run.yaml --dry-run=server").await;
    kubectl.done("kubectl get runnables").await;
    kubectl.done("kubectl create -f run.yaml").await;
    kubectl.done("kubectl wait --for=condition=Succeeded runnable/report --timeout=60s").await;
    kubectl.done("kubectl wait --for=condition=Finished runnable/report --timeout=60s").await;
    kubectl
        .done("kubectl wait --for=jsonpath='{.status.phase}'=Succeeded runnable/report --timeout=60s")
        .await;
    kubectl.done("kubectl create -f generated.yaml").await;
    kubectl.done("kubectl create -f long.yaml -o name").await;
    kubectl.done("kubectl wait --for=condition=Succeeded runnable --all --field-selector metadata.name!=long --timeout=60s").await;
    kubectl.done("kubectl wait --for=jsonpath='{.status.phase}'=Running runnable/long --timeout=60s").await;
    kubectl
        .lines(
            "kubectl get runnables -A
             kubectl get runnables -A -o wide
             kubectl get run,clusters -o name
             kubectl get runnable/report
             kubectl get runs report -o yaml
             kubectl get runs report -o json | head -n 3
             kubectl get run -o jsonpath='{range .items[*]}{.status.phase}{\"\\n\"}{end}'
             kubectl get run report -o custom-columns=NAME:.metadata.name,PHASE:.status.phase,CLUSTER:.status.cluster
             kubectl get run -l desk=rates --field-selector status.phase=Succeeded,metadata.name!=report
             kubectl get run -l 'desk notin (rates)'
             kubectl get run --field-selector status.cluster=west
             kubectl get run --sort-by=.metadata.name
             kubectl get run --sort-by=.status.phase
             kubectl get run --chunk-size=1
             kubectl get run --show-labels
             kubectl get all
             kubectl describe runnable report | sed '/^Events:/,$d'
             kubectl describe runnable report | sed '1,/^Events:/d' | head -n 3
             kubectl get events --field-selector involvedObject.name=report,reason=Submit
             kubectl get events --field-selector involvedObject.name=report,reason=Place
             kubectl events --for runnable/report | head -n 2
             kubectl get auditrecords --field-selector spec.submission=risk/report,spec.verb=submit -o custom-columns=USER:.spec.user,VERB:.spec.verb,SUBJECT:.spec.subjects[0].name
             kubectl delete runnable long --dry-run=server
             kubectl delete runnable report
             kubectl get runnable report
             kubectl delete runnable long --wait=false
             kubectl wait --for=delete runnable/long --timeout=60s | sed '/condition met/d'
             kubectl create -f run.yaml
             kubectl delete -f run.yaml --cascade=foreground --grace-period=0
             kubectl delete runnable report --ignore-not-found
             kubectl delete runnable --all",
        )
        .await;
    kubectl.compare("life").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn a_watch_shows_each_phase_as_rows() {
    let mut kubectl = Session::start().await;
    let line = "kubectl get runnables -w --output-watch-events --request-timeout=20s";
    let watch = kubectl.command(line).stdout(std::process::Stdio::piped()).spawn().unwrap();
    crate::dev::until("the watch is open", async || {
        let metrics = kubectl.dev.get(&kubectl.follower.url, "/metrics").await?;
        let text = metrics.body.as_str()?.to_owned();
        let open =
            |line: &&str| line.starts_with("tallyman_") && line.contains("watches") && line.ends_with(" 1");
        text.lines().find(open).map(drop)
    })
    .await;
    kubectl.done("kubectl create -f run.yaml").await;
    kubectl.done("kubectl wait --for=condition=Finished runnable/report --timeout=60s").await;
    kubectl.done("kubectl delete runnable report").await;
    let output = watch.wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    kubectl.keep(line, &crate::session::Said { text, code: output.status.code().unwrap() });
    kubectl.compare("watch").await;
}
