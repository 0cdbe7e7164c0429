//! `tallyman bench` against a small group: every request is accounted for. Nothing here looks at a time.

use crate::dev::{Dev, binary};
use serde_json::{Value, json};
use tokio::process::Command;

async fn bench(dev: &Dev, arguments: &[&str]) -> Value {
    let servers: Vec<String> = dev.replicas().into_iter().map(|replica| replica.url).collect();
    let mut command = Command::new(binary());
    command.arg("bench").args(arguments).args(["-o", "json", "--duration", "60s"]);
    command.args(["--server", &servers.join(",")]).kill_on_drop(true);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bench_accounts_for_every_request_of_every_workload() {
    let dev = Dev::start(&["--clusters", "1"]).await;
    let report = bench(&dev, &["writes", "--clients", "8", "--requests", "200"]).await;
    let write = &report["operations"]["write"];
    assert_eq!(
        (&write["ok"], &write["codes"], &write["lost"]),
        (&json!(200), &json!({"201": 200}), &json!({}))
    );
    assert!(write["latencyMs"]["p50"].as_f64() > Some(0.0), "{report}");
    assert_eq!((&report["bytes"], report["servers"].as_array().unwrap().len()), (&json!(512), 3));

    let report = bench(&dev, &["reads", "--clients", "8", "--requests", "200"]).await;
    assert_eq!(report["servers"].as_array().unwrap().len(), 2, "followers only: {report}");
    assert_eq!(report["operations"]["read"]["codes"], json!({"200": 200}), "{report}");
    for workload in ["linearizable", "stale"] {
        let report = bench(&dev, &[workload, "--clients", "8", "--requests", "200"]).await;
        assert_eq!(report["operations"]["read"]["codes"], json!({"200": 200}), "{report}");
    }

    let report = bench(&dev, &["mixed", "--clients", "4", "--requests", "200", "--rate", "500"]).await;
    let count =
        |operation: &str, code: &str| report["operations"][operation]["codes"][code].as_u64().unwrap();
    assert_eq!(count("write", "201") + count("read", "200"), 200, "{report}");
    assert!(count("write", "201") < 50 && report["ratePerSecond"] == json!(500.0), "{report}");

    let arguments = ["watch", "--clients", "2", "--requests", "50", "--rate", "100", "--watchers", "9"];
    let report = bench(&dev, &arguments).await;
    assert_eq!(
        (&report["watch"]["events"], &report["watch"]["missed"]),
        (&json!(450), &json!(0)),
        "{report}"
    );
}
