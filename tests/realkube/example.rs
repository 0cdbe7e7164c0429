//! The README's example on a real Kubernetes, and a real kubectl against Tallyman.

use crate::control::Control;
use crate::dev::{Dev, PATIENCE, binary, path, until};
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn the_example_runs_on_a_real_kubernetes() {
    let folder = tempfile::tempdir().unwrap();
    let control = Control::up(&folder.path().join("kube")).await;
    control.kubectl(&["create", "namespace", "risk"]).await;
    let kubeconfig = format!("{}=real", control.kubeconfig().display());
    let mut command = Command::new(binary());
    command.current_dir(env!("CARGO_MANIFEST_DIR")).kill_on_drop(true).args([
        "dev",
        "--kubeconfig",
        &kubeconfig,
    ]);
    command.args(["--submit", "examples/nightly-report.yaml", "--exit-when-done"]);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for word in ["accepted", "placed", "sent", "created", "succeeded", "attempt 1 of 1", "chain verified"] {
        assert!(said.contains(word), "{word} is not in\n{said}");
    }
    let jobs = control.kubectl(&["get", "jobs", "-n", "risk", "-o", "name"]).await;
    assert_eq!(jobs.lines().count(), 1, "{jobs}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn a_real_kubectl_finds_our_resources_and_lists_runs() {
    let dev = Dev::start(&[]).await;
    let server = dev.followers().await[0].url.clone();
    dev.submit(&server, "risk", &crate::dev::runnable("seen", "100ms")).await.unwrap();
    dev.until_phase("risk", "seen", "Succeeded").await;
    let kubectl = |arguments: &'static [&'static str]| {
        let server = format!("--server={server}");
        async move {
            let kubectl = format!("{}/tests/realkube/bin/kubectl", env!("CARGO_MANIFEST_DIR"));
            let output = Command::new(kubectl).arg(server).args(arguments).output().await.unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(
                output.status.success(),
                "{arguments:?}: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            said
        }
    };
    let resources = kubectl(&["api-resources"]).await;
    for resource in ["runnables", "clusters", "replicas", "auditrecords"] {
        assert!(resources.contains(resource), "{resources}");
    }
    let raw = kubectl(&["get", "--raw", "/apis/tallyman.dev/v1/runnables"]).await;
    assert!(raw.contains("RunnableList"), "{raw}");
    let table = until("the follower shows the end", async || {
        let table = kubectl(&["get", "runnables", "-A"]).await;
        table.contains("Succeeded").then_some(table)
    })
    .await;
    assert!(table.contains("seen") && table.contains("risk"), "{table}");
    let one = kubectl(&["get", "runnable", "seen", "-n", "risk", "-o", "jsonpath={.status.phase}"]).await;
    assert_eq!(one, "Succeeded");
    assert!(dev.get(&server, &path("clusters")).await.unwrap().status == 200);
}
