//! The role that `tallyman cluster role` prints, in force on a real kube-apiserver.

use crate::dev::{Dev, binary, runnable, until};
use crate::kube::{Kube, kubeconfig};
use serde_json::json;
use std::process::Command;

const ACCOUNT: &str = "system:serviceaccount:tallyman:tallyman";

pub(crate) fn role(arguments: &[&str]) -> String {
    let output = Command::new(binary()).args(["cluster", "role"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Gives the account a role, and Tallyman a kubeconfig with a token of the account.
async fn start(kube: &Kube, arguments: &[&str]) -> Dev {
    for namespace in ["tallyman", "risk", "desk"] {
        kube.kubectl(&["create", "namespace", namespace]).await;
    }
    kube.apply(&role(arguments), &[]).await;
    let token = kube.kubectl(&["create", "token", "tallyman", "-n", "tallyman", "--duration", "1h"]).await;
    let file = kube.path("tallyman.kubeconfig");
    let ca = kube.path("certs/ca.crt");
    let text = kubeconfig(&kube.server().await, ca.to_str().unwrap(), &token);
    std::fs::write(&file, text).unwrap();
    Dev::start(&["--kubeconfig", &format!("{}=real", file.display())]).await
}

/// Two runs: one to its end, and one whose objects are removed on demand.
async fn work(kube: &Kube, dev: &Dev) {
    let server = dev.replicas()[0].url.clone();
    for name in ["kept", "removed"] {
        let answer = dev.submit(&server, "risk", &runnable(name, "1s")).await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        dev.until_phase("risk", name, "Succeeded").await;
    }
    let output =
        Command::new(binary()).args(["delete", "risk/removed", "--server", &server]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    until("its objects are removed", async || {
        let left = kube.kubectl(&["get", "jobs,configmaps", "-n", "risk", "-o", "name"]).await;
        (left.contains("kept") && !left.contains("removed")).then_some(())
    })
    .await;
}

async fn may(kube: &Kube, question: &[&str]) -> bool {
    let output = kube.run(&[&["auth", "can-i", "--as", ACCOUNT], question].concat(), "").await;
    String::from_utf8_lossy(&output.stdout).trim() == "yes"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn the_printed_role_is_enough_and_no_more() {
    let kube = Kube::up(&[]).await;
    let dev = start(&kube, &[]).await;
    work(&kube, &dev).await;
    dev.stop().await;
    let (requests, forbidden) = kube.requests_of(ACCOUNT);
    assert!(requests > 10 && forbidden.is_empty(), "{requests} requests, forbidden: {forbidden:?}");
    eprintln!("{requests} requests with the printed role, none was forbidden");
    for question in [
        ["get", "secrets", "-A"].as_slice(),
        &["get", "pods", "-A"],
        &["watch", "pods", "-A"],
        &["update", "jobs", "-A"],
        &["deletecollection", "jobs", "-A"],
        &["watch", "configmaps", "-A"],
        &["get", "namespaces/default"],
        &["create", "clusterrolebindings"],
    ] {
        assert!(!may(&kube, question).await, "{question:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn work_can_be_held_to_the_namespaces_that_are_named() {
    let kube = Kube::up(&[]).await;
    let dev = start(&kube, &["--namespace", "risk"]).await;
    work(&kube, &dev).await;
    let (requests, forbidden) = kube.requests_of(ACCOUNT);
    assert!(requests > 10 && forbidden.is_empty(), "{requests} requests, forbidden: {forbidden:?}");

    let server = dev.replicas()[0].url.clone();
    dev.submit(&server, "desk", &runnable("elsewhere", "1s")).await.unwrap();
    until("it says that it may not", async || {
        let run = dev.read(&server, "desk", "elsewhere").await?;
        run.body["status"].to_string().contains("orbidden").then_some(())
    })
    .await;
    let jobs = kube.json(&["get", "jobs", "-n", "desk"]).await;
    assert_eq!(jobs["items"], json!([]));
    dev.stop().await;
}
