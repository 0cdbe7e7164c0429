//! From processes that have been started to a group that takes work.

use super::{World, leadership};
use crate::client::{Request, request, text};
use crate::exit::{Exit, Failure};
use crate::verb::{cluster, operator};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long the replicas are given to answer at all.
const ANSWER_S_MAX: u64 = 30;
/// How long they are given to find a leader.
const LEADER_S_MAX: u64 = 30;
/// How long all replicas are given to be ready before work is submitted all the same.
const READY_S_MAX: u64 = 10;
/// How long the clusters are given to be reached before work is submitted all the same.
const CLUSTERS_S_MAX: u64 = 10;
/// How often a condition is looked at.
const LOOK_MS: u64 = 20;

/// How it came up.
#[derive(Debug)]
pub(super) struct Started {
    /// Id, URL and role of each replica.
    pub(super) replicas: Vec<(String, String, String)>,
    /// From the moment in which all could have voted until a leader served.
    pub(super) elected: Duration,
}

/// Waits for the replicas, makes the group if it is new, and registers the clusters.
///
/// # Errors
/// No leader, or a cluster was refused.
pub(super) async fn boot(world: &Arc<World>) -> Result<Started, Failure> {
    let answering = within(ANSWER_S_MAX, "not all replicas answer", all_answer(world)).await?;
    let begun = Instant::now();
    if answering.iter().all(|status| text(status, "/role") == "blank") {
        let request = Request::send(Method::POST, operator::INIT, &json!({"expect": world.urls.len()}));
        match world.client.change(request, "tallyman operator init").await {
            // An answer that was lost, and the group was made all the same.
            Err(failure) if failure.exit == Exit::Conflict => {}
            made => drop(made?),
        }
    }
    let serving = async {
        loop {
            if let Ok(found) = leadership::quorum(world, None).await {
                return found;
            }
        }
    };
    within(LEADER_S_MAX, "no leader was elected", serving).await?;
    let elected = begun.elapsed();
    register(world).await?;
    // A resumed replica that lost its data may take longer to join; the others serve.
    let _ = timeout(Duration::from_secs(READY_S_MAX), all_ready(world)).await;
    // Nothing is lost by submitting early: work waits for its cluster.
    let _ = timeout(Duration::from_secs(CLUSTERS_S_MAX), all_reached(world)).await;
    let statuses = leadership::statuses(world).await;
    let replicas = world.urls.iter().zip(&statuses).enumerate().map(|(slot, (url, status))| {
        let role = status.as_ref().map_or("", |status| text(status, "/role"));
        (world.state.id(slot), url.clone(), role.to_owned())
    });
    let replicas = replicas.collect();
    world.state.open();
    Ok(Started { replicas, elected })
}

async fn within<T>(seconds: u64, what: &str, wait: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(Duration::from_secs(seconds), wait).await.map_err(|_| {
        let message = format!("{what} within {seconds} s");
        Failure::new(Exit::Unavailable, message, "look into DIR/rN/server.log (--dir DIR keeps it)")
    })
}

async fn all_answer(world: &World) -> Vec<Value> {
    loop {
        let statuses = leadership::statuses(world).await;
        if statuses.iter().all(Option::is_some) {
            return statuses.into_iter().flatten().collect();
        }
        sleep(Duration::from_millis(LOOK_MS)).await;
    }
}

async fn all_ready(world: &World) {
    for url in &world.urls {
        let one = world.client.at(url);
        while one.read(&Request::get("/readyz")).await.is_err() {
            sleep(Duration::from_millis(LOOK_MS)).await;
        }
    }
}

async fn register(world: &World) -> Result<(), Failure> {
    for one in &world.clusters.0 {
        let document =
            cluster::document(&one.name, &one.kubeconfig, one.context.as_deref(), serde_json::Map::new());
        let path = format!("{}/clusters", request::API);
        let added = world.client.change(Request::send(Method::POST, path, &document), "tallyman dev").await;
        match added {
            Err(failure) if failure.exit == Exit::Conflict => point(world, &one.name, &document).await?,
            added => drop(added?),
        }
    }
    Ok(())
}

/// A resumed group knows the cluster already; its kubeconfig may be elsewhere now.
async fn point(world: &World, name: &str, document: &Value) -> Result<(), Failure> {
    let known = world.client.read(&Request::get(request::cluster(name))).await?;
    let wanted = document.pointer("/spec/kubeconfig");
    if known.body.pointer("/spec/kubeconfig") == wanted {
        return Ok(());
    }
    let patch = json!({"spec": {"kubeconfig": wanted}});
    world
        .client
        .change(Request::send(Method::PATCH, request::cluster(name), &patch), "tallyman dev")
        .await
        .map(drop)
}

async fn all_reached(world: &World) {
    loop {
        let listed = world.client.read(&Request::get(format!("{}/clusters", request::API))).await;
        let is_reached = |name: &str, body: &Value| {
            crate::output::items(body).iter().any(|item| {
                text(item, "/metadata/name") == name
                    && item.pointer("/status/reachable").and_then(Value::as_bool) == Some(true)
            })
        };
        if listed.is_ok_and(|answer| world.clusters.0.iter().all(|one| is_reached(&one.name, &answer.body))) {
            return;
        }
        sleep(Duration::from_millis(LOOK_MS)).await;
    }
}
