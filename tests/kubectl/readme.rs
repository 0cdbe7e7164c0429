//! The kubectl lines of the README do what it says.

use crate::blocks::block;
use crate::session::Session;
use std::fs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs kubectl: see CONTRIBUTING.md"]
async fn the_lines_of_the_readme_work_in_the_order_shown() {
    let kubectl = Session::start().await;
    fs::write(kubectl.path().join("run.yaml"), block("# run.yaml")).unwrap();
    let mut name = String::new();
    let lines = block("kubectl --server=http://localhost:7002 get runnables -A -o wide");
    for line in lines.lines() {
        let mut line = line.replace("RUN", &name);
        for (replica, port) in kubectl.dev.replicas().iter().zip(["7001", "7002", "7003"]) {
            line = line.replace(&format!("http://localhost:{port}"), &replica.url);
        }
        let said = kubectl.quietly(&line).await;
        assert_eq!(said.code, 0, "{line}: {}", said.text);
        if let Some(created) = said.text.strip_suffix(" created\n") {
            name = created.rsplit('/').next().unwrap().to_owned();
        }
        if line.contains("/k8s/clusters/") {
            assert!(
                said.text.contains("nightly-report-") || said.text.contains("No resources"),
                "{}",
                said.text
            );
        }
    }
    assert!(!name.is_empty(), "one of them creates a run");
}
