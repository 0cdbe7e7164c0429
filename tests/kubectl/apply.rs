//! `kubectl apply` and `kubectl diff`, on both sides.

use crate::session::Session;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn a_run_is_applied_client_side() {
    let mut kubectl = Session::start().await;
    kubectl.done("kubectl apply -f run.yaml --dry-run=server").await;
    kubectl.done("kubectl apply -f run.yaml").await;
    kubectl.done("kubectl wait --for=condition=Finished runnable/report --timeout=60s").await;
    kubectl
        .lines(
            "kubectl apply -f run.yaml
             kubectl diff -f run.yaml
             kubectl diff -f relabelled.yaml
             kubectl apply -f relabelled.yaml --dry-run=server
             kubectl apply -f relabelled.yaml
             kubectl get run report --show-labels
             kubectl apply -f changed.yaml
             kubectl diff -f changed.yaml
             kubectl apply view-last-applied runnable/report -o json | head -n 3
             kubectl diff -f generated.yaml
             kubectl apply -f generated.yaml
             kubectl apply -f cluster.yaml",
        )
        .await;
    let unreachable = "kubectl wait --for=jsonpath='{.status.reachable}'=false cluster/north --timeout=60s";
    assert_eq!(kubectl.quietly(unreachable).await.code, 0);
    kubectl
        .lines(
            "kubectl apply -f cluster.yaml
             kubectl get clusters north -o name
             kubectl get cluster north -o jsonpath='{.spec.cordoned}{\"\\n\"}'
             kubectl delete -f cluster.yaml
             kubectl delete -f run.yaml",
        )
        .await;
    kubectl.compare("apply").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn a_run_is_applied_server_side() {
    let mut kubectl = Session::start().await;
    kubectl.run("kubectl diff --server-side -f metadata.yaml").await;
    kubectl.done("kubectl apply --server-side -f run.yaml --dry-run=server").await;
    kubectl.done("kubectl apply --server-side -f run.yaml").await;
    kubectl.done("kubectl wait --for=condition=Finished runnable/report --timeout=60s").await;
    kubectl
        .lines(
            "kubectl apply --server-side -f run.yaml
             kubectl diff --server-side -f run.yaml
             kubectl diff --server-side -f relabelled.yaml
             kubectl apply --server-side -f relabelled.yaml
             kubectl apply --server-side -f metadata.yaml
             kubectl get run report -o jsonpath='{.metadata.labels} {.metadata.annotations}{\"\\n\"}'
             kubectl apply --server-side -f run.yaml --force-conflicts --field-manager=ci
             kubectl apply --server-side -f changed.yaml
             kubectl apply --server-side -f cluster.yaml
             kubectl apply --server-side -f cluster.yaml
             kubectl delete cluster north",
        )
        .await;
    kubectl.compare("apply-server-side").await;
}
