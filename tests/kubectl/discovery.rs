//! What there is, and what its fields mean.

use crate::session::Session;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn resources_are_found_and_explained() {
    let mut kubectl = Session::start().await;
    kubectl
        .lines(
            "kubectl api-resources -o wide
             kubectl api-resources --categories=all -o name
             kubectl api-versions
             kubectl version
             kubectl explain runnables
             kubectl explain runnables.spec
             kubectl explain runnables.spec.placement
             kubectl explain runnables.spec.onLate
             kubectl explain runnables.status.attempts.objects
             kubectl explain runnables --recursive
             kubectl explain clusters
             kubectl explain clusters.spec.kubeconfig
             kubectl explain replicas.status
             kubectl explain auditrecords.spec
             kubectl explain pods",
        )
        .await;
    kubectl.compare("discovery").await;
}
