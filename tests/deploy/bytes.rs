//! What is read of objects whose status nobody reads, in bytes of a real kube-apiserver.

use crate::dev::{Dev, runnable, until};
use crate::kube::Kube;
use serde_json::json;

/// Of the ConfigMap that a run brings.
const DATA_BYTES: usize = 256 * 1024;
/// Listings of ConfigMaps that are looked at: those of sweeps.
const LISTINGS: f64 = 2.0;

/// Bytes and answers of listings of ConfigMaps in the whole cluster, since its kube-apiserver was started.
async fn listed(kube: &Kube) -> (f64, f64) {
    let metrics = kube.kubectl(&["get", "--raw", "/metrics"]).await;
    let of = |name: &str| {
        let is_it = |line: &&str| {
            let labels = [r#"resource="configmaps""#, r#"scope="cluster""#, r#"verb="LIST""#];
            line.starts_with(name) && labels.iter().all(|label| line.contains(label))
        };
        let values =
            metrics.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum::<f64>()
    };
    (of("apiserver_response_sizes_sum"), of("apiserver_response_sizes_count"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn a_sweep_of_config_maps_costs_the_bytes_of_their_metadata() {
    let kube = Kube::up(&[]).await;
    kube.kubectl(&["create", "namespace", "risk"]).await;
    let file = kube.path("kubeconfig");
    let dev = Dev::start(&["--kubeconfig", &format!("{}=real", file.display())]).await;
    let server = dev.replicas()[0].url.clone();
    let mut run = runnable("report", "1s");
    run["spec"]["manifests"][0]["data"] = json!({"a": "x".repeat(DATA_BYTES)});
    let answer = dev.submit(&server, "risk", &run).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    dev.until_phase("risk", "report", "Succeeded").await;
    let before = listed(&kube).await;
    let after = until("sweeps", async || {
        let now = listed(&kube).await;
        (now.1 >= before.1 + LISTINGS).then_some(now)
    })
    .await;
    let bytes = (after.0 - before.0) / (after.1 - before.1);
    let whole =
        kube.kubectl(&["get", "--raw", "/api/v1/configmaps?labelSelector=tallyman.dev/group"]).await.len();
    eprintln!("a sweep read {bytes:.0} bytes of ConfigMaps that are {whole} bytes");
    assert!(whole > DATA_BYTES && bytes > 0.0 && bytes < DATA_BYTES as f64 / 50.0, "{bytes} of {whole}");
    dev.stop().await;
}
