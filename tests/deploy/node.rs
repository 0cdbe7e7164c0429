//! A group in real containers on a real node, from `deploy/kustomize/base` as it is.

use crate::dev::until;
use crate::group::Group;
use crate::image;
use crate::load::{Load, Outside, Told};
use serde_json::json;
use tokio::time::Instant;

/// A write that is not acknowledged for longer than this was lost on somebody.
const GAP_S_MAX: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, containerd and Go: see CONTRIBUTING.md"]
async fn a_group_runs_on_a_real_node_and_outlives_its_pods() {
    let begun = Instant::now();
    let step = |what: &str| eprintln!("{:5.1} s  {what}", begun.elapsed().as_secs_f32());
    let mut group = Group::start(&image::make).await;
    step("applied");
    group.until_ready().await;
    group
        .kube
        .kubectl(&[
            "wait",
            "-n",
            "tallyman",
            "--for=condition=complete",
            "job/tallyman-init",
            "--timeout=120s",
        ])
        .await;
    step("three replicas are ready, the group is founded by its Job");
    group.init_again().await;
    step("the Job run again finds the group there");

    let added =
        group.client("add", &["cluster", "add", "home", "--kubeconfig", "/etc/tallyman/clusters/home"]).await;
    assert!(added.contains("cluster home added"), "{added}");
    let said = group
        .client("submit", &["submit", "/run/input/run.yaml", "-n", "risk", "--wait", "--timeout", "2m"])
        .await;
    assert!(said.contains("accepted"), "{said}");
    let pods = group.kube.kubectl(&["logs", "-n", "risk", "-l", "job-name=real-work", "--tail=-1"]).await;
    assert_eq!(pods.trim(), "works for 2 s as uid 65534", "a container has done it, once");
    let outside = group.outside().await;
    let run = "namespaces/risk/runnables/real-work";
    let seen = outside.get(run).await.unwrap();
    assert_eq!(seen.body["status"]["phase"], json!("Succeeded"), "{seen:?}");
    let (requests, forbidden) = group.kube.requests_of("system:serviceaccount:tallyman:tallyman");
    assert!(requests > 0 && forbidden.is_empty(), "{requests} requests, forbidden: {forbidden:?}");
    step("a Job was submitted through the Service and ran in a container, with the printed role only");

    for way in [Death::Killed, Death::Deleted, Death::Restarted] {
        let told = dies(&group, &outside, run, way).await;
        step(&format!("{way:?} under load: {told:?}"));
        assert!(told.gap.as_secs() < GAP_S_MAX, "{told:?}");
    }

    let before = group.ids(&outside).await;
    let lost = group.lose_a_volume(&outside).await;
    group.until_ready().await;
    let after = until("three vote again", async || {
        let ids = group.ids(&outside).await;
        (ids.len() == 3 && ids != before).then_some(ids)
    })
    .await;
    assert!(after.iter().filter(|id| before.contains(id)).count() == 2, "{before:?} {after:?}");
    let seen = outside.get(run).await.unwrap();
    assert_eq!(seen.body["status"]["phase"], json!("Succeeded"), "{seen:?}");
    step(&format!("{lost} lost its volume: {before:?} became {after:?}"));
}

#[derive(Clone, Copy, Debug)]
enum Death {
    /// The leader's process, by SIGKILL: nothing is handed over.
    Killed,
    /// The leader's Pod, from the API at once.
    Deleted,
    /// All Pods, one after the other.
    Restarted,
}

/// Until all are ready again.
async fn dies(group: &Group, outside: &Outside, run: &str, way: Death) -> Told {
    let load = Load::start(outside, run);
    let leader = outside.leader().await;
    let before = group.incarnation(&leader).await.unwrap();
    match way {
        Death::Killed => group.kill_container(&leader).await,
        Death::Deleted => {
            let delete = ["delete", "pod", "-n", "tallyman", &leader, "--force", "--grace-period=0"];
            group.kube.kubectl(&delete).await;
        }
        Death::Restarted => {
            group.kube.kubectl(&["rollout", "restart", "statefulset/tallyman", "-n", "tallyman"]).await;
        }
    }
    until("the leader's Pod runs anew", async || {
        let now = group.incarnation(&leader).await?;
        (now != before).then_some(())
    })
    .await;
    group.until_ready().await;
    load.end().await
}
