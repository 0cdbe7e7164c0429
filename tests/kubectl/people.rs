//! Who asks, and what is told of the group.

use crate::session::Session;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn people_act_as_others_and_learn_what_they_may_do() {
    let mut kubectl = Session::start().await;
    kubectl
        .lines(
            "kubectl auth whoami
             kubectl auth whoami --as=ann --as-group=risk
             kubectl auth can-i create runnables
             kubectl auth can-i create runnables --subresource=cancel
             kubectl auth can-i delete replicas
             kubectl auth can-i create pods
             kubectl auth can-i get /metrics
             kubectl auth can-i --list
             kubectl create -f run.yaml --as=ann --as-group=risk
             kubectl get run report -o jsonpath='{.status.submittedBy}{\"\\n\"}'
             kubectl get runnables --as=system:leader
             kubectl get clusters -o custom-columns=NAME:.metadata.name,REACHABLE:.status.reachable
             kubectl get clusters | head -n 1
             kubectl get replicas -o custom-columns=NAME:.metadata.name,DATACENTER:.spec.datacenter,VOTER:.status.voter
             kubectl get replicas -o wide | head -n 1
             kubectl get auditrecords -o wide | head -n 2
             kubectl get auditrecord 1 -o jsonpath='{.spec.verb}{\"\\n\"}'
             kubectl get --raw /livez",
        )
        .await;
    kubectl.compare("people").await;
}
