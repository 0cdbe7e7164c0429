//! The role that `tallyman cluster role` prints, in force on a real kube-apiserver.

use crate::dev::{Dev, answer, binary, path, runnable, until};
use crate::kube::{Kube, kubeconfig};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

const ACCOUNT: &str = "system:serviceaccount:tallyman:tallyman";

pub(crate) fn role(arguments: &[&str]) -> String {
    let output = Command::new(binary()).args(["cluster", "role"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Gives the account a role, and Tallyman a kubeconfig with a token of the account.
async fn start(kube: &Kube, arguments: &[&str]) -> Dev {
    let file = account(kube, arguments).await;
    Dev::start(&["--kubeconfig", &format!("{}=real", file.display())]).await
}

/// A kubeconfig with a token of an account that has what is printed.
async fn account(kube: &Kube, arguments: &[&str]) -> PathBuf {
    for namespace in ["tallyman", "risk", "desk"] {
        kube.kubectl(&["create", "namespace", namespace]).await;
    }
    kube.apply(&role(arguments), &[]).await;
    let token = kube.kubectl(&["create", "token", "tallyman", "-n", "tallyman", "--duration", "1h"]).await;
    let file = kube.path("tallyman.kubeconfig");
    let ca = kube.path("certs/ca.crt");
    let text = kubeconfig(&kube.server().await, ca.to_str().unwrap(), &token);
    std::fs::write(&file, text).unwrap();
    file
}

/// Two runs: one to its end, and one whose objects are removed on demand.
async fn work(kube: &Kube, dev: &Dev) {
    let server = dev.replicas()[0].url.clone();
    for name in ["kept", "removed"] {
        let mut run = runnable(name, "1s");
        run["spec"]["placement"] = json!({"clusters": ["real"]});
        let answer = dev.submit(&server, "risk", &run).await.unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn roles_of_namespaces_alone_are_enough_for_a_cluster_that_is_watched_by_namespaces() {
    let kube = Kube::up(&[]).await;
    let file = account(&kube, &["--namespace", "risk", "--namespaced"]).await;
    let dev = Dev::start(&["--clusters", "1"]).await;
    let server = dev.replicas()[0].url.clone();
    let add = ["cluster", "add", "real", "--watch-namespace", "risk", "--server", &server, "--kubeconfig"];
    until("the group has seen that all its replicas know it", async || {
        let output = Command::new(binary()).args(add).arg(&file).output().unwrap();
        output.status.success().then_some(())
    })
    .await;
    work(&kube, &dev).await;
    let observe =
        json!({"spec": {"observe": [{"apiVersion": "batch/v1", "kind": "Job", "namespaces": ["risk"]}]}});
    let url = format!("{server}{}", path("clusters/real"));
    let patch = dev.http.patch(url).header("content-type", "application/merge-patch+json");
    assert_eq!(answer(patch.body(observe.to_string())).await.unwrap().status, 200);
    kube.kubectl(&["create", "job", "by-hand", "--image", "busybox", "-n", "risk"]).await;
    until("the Job of others is shown", async || {
        let query = path("namespaces/risk/runnables?fieldSelector=status.foreign%3Dtrue");
        let shown = dev.get(&server, &query).await?.body;
        (shown["items"][0]["status"]["foreign"]["name"] == "by-hand").then_some(())
    })
    .await;
    let cluster = until("it was swept", async || {
        let cluster = dev.get(&server, &path("clusters/real")).await?.body;
        cluster["status"]["sweptAt"].is_string().then_some(cluster)
    })
    .await;
    let identity = kube.kubectl(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]).await;
    assert_eq!(cluster["status"]["kubeSystemUID"], json!(identity));
    assert_eq!(cluster["status"]["message"], json!(null), "{cluster:#}");
    dev.stop().await;
    let (requests, forbidden) = kube.requests_of(ACCOUNT);
    assert!(requests > 10 && forbidden.is_empty(), "{requests} requests, forbidden: {forbidden:?}");
    eprintln!("{requests} requests with roles of namespaces alone, none was forbidden");
    for question in [
        ["list", "jobs", "-A"].as_slice(),
        &["watch", "jobs", "-A"],
        &["list", "configmaps", "-n", "desk"],
        &["create", "jobs", "-n", "desk"],
        &["get", "namespaces/default"],
        &["list", "namespaces"],
        &["get", "pods", "-n", "kube-system"],
    ] {
        assert!(!may(&kube, question).await, "{question:?}");
    }
}
