//! [`KubeApi`] against a server whose answers are written out byte by byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::large_futures, reason = "tests")]

mod dialled;
mod reads;
mod rotation;
mod server;
mod tls;
mod watches;
mod writes;

use serde_json::json;
use server::{Say, Server};
use std::time::Duration;
use tallyman_cluster::{ConnectOptions, KubeApi, Timing};
use tallyman_model::record::{Extent, Kind};

/// Deadlines that a test can wait for.
fn timing() -> Timing {
    let short = Duration::from_millis(300);
    Timing {
        write: short,
        read: short,
        list: short,
        watch_open: short,
        watch_s: (1, 1),
        watch_grace: short,
        ..Timing::default()
    }
}

async fn start(script: impl IntoIterator<Item = Say>) -> (Server, KubeApi) {
    let server = Server::start(script).await;
    let options = ConnectOptions { timing: timing(), ..ConnectOptions::new(server.kubeconfig()) };
    let api = KubeApi::connect(options).await.unwrap();
    (server, api)
}

fn all_jobs() -> Extent {
    Extent::everywhere(Kind::Job)
}

fn job(version: &str) -> serde_json::Value {
    json!({"kind": "Job", "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": version}})
}

fn status(code: u16, reason: &str, details: serde_json::Value) -> String {
    json!({"kind": "Status", "code": code, "reason": reason, "message": "words", "details": details})
        .to_string()
}
