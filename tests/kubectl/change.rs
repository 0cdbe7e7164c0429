//! Labels, annotations, patches, and what cannot be changed.

use crate::session::Session;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn metadata_changes_and_a_spec_does_not() {
    let mut kubectl = Session::start().await;
    kubectl.done("kubectl create -f run.yaml").await;
    kubectl.done("kubectl wait --for=condition=Finished runnable/report --timeout=60s").await;
    kubectl
        .lines(
            "kubectl label runnable report tier=gold
             kubectl label runnable report tier=silver
             kubectl label runnable report tier=silver --overwrite
             kubectl label runnable report tier=bronze --overwrite --dry-run=server
             kubectl get runnable report --show-labels
             kubectl label runnable report tier-
             kubectl label runnable report tallyman.dev/group=mine
             kubectl label run --all batch=7
             kubectl annotate runnable report note=first
             kubectl annotate runnable report note=second --overwrite
             kubectl get run report -o jsonpath='{.metadata.annotations}{\"\\n\"}'
             kubectl annotate runnable report note-
             kubectl edit runnable report
             kubectl get run report -o jsonpath='{.metadata.labels}{\"\\n\"}'
             kubectl patch runnable report --type=merge -p '{\"metadata\":{\"labels\":{\"a\":\"b\"}}}'
             kubectl patch runnable report --type=json -p '[{\"op\":\"remove\",\"path\":\"/metadata/labels/a\"}]'
             kubectl patch runnable report --type=json -p '[{\"op\":\"test\",\"path\":\"/metadata/labels/a\",\"value\":\"b\"}]'
             kubectl patch runnable report -p '{\"metadata\":{\"labels\":{\"a\":\"b\"}}}'
             kubectl patch runnable report --type=merge -p '{\"spec\":{\"startBy\":\"1h\"}}'
             kubectl patch runnable report --type=merge -p '{\"spec\":{\"startBy\":\"600s\"}}'
             kubectl replace -f changed.yaml
             kubectl get run report -o jsonpath='{.metadata.labels}{\"\\n\"}'",
        )
        .await;
    kubectl.compare("change").await;
}
