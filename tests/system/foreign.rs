//! Work that others make on a cluster, shown by every replica.

use crate::blocks::block;
use crate::dev::{Dev, answer, binary, path, until};
use serde_json::{Value, json};
use tokio::process::Command;

const JOBS: &str = "/apis/batch/v1/namespaces/ops/jobs";

/// A Job that runs for `run_for` on a simulated cluster.
fn job(name: &str, run_for: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "labels": {"team": "rates"}, "annotations": {"simulate.tallyman.dev/run-for": run_for}},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
        }}},
    })
}

struct Stage {
    dev: Dev,
    leader: String,
    follower: String,
    east: String,
}

impl Stage {
    /// A group that looks at what the README has it look at: Jobs in namespace `ops` on cluster `east`.
    async fn start() -> Self {
        let dev = Dev::start(&[]).await;
        let leader = dev.leader().await.url;
        let follower = dev.followers().await[0].url.clone();
        let east = dev.clusters().into_iter().find(|(name, _)| name == "east").unwrap().1;
        let stage = Self { dev, leader, follower, east };
        stage.change("application/apply-patch+yaml", &block("# observe.yaml")).await;
        stage
    }

    /// Changes the cluster's record.
    async fn change(&self, form: &str, patch: &str) {
        let url = format!("{}{}?fieldManager=test", self.leader, path("clusters/east"));
        until("the group has seen that all its replicas know it", async || {
            let request = self.dev.http.patch(&url).header("content-type", form);
            let answer = answer(request.body(patch.to_owned())).await?;
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// What the cluster itself is asked to make.
    async fn make(&self, path: &str, object: &Value) -> Value {
        let made = answer(self.dev.http.post(format!("{}{path}", self.east)).json(object)).await.unwrap();
        assert_eq!(made.status, 201, "{made:?}");
        made.body
    }

    /// What of this is shown in all namespaces by a follower.
    async fn shown(&self, fields: &str) -> Option<Vec<Value>> {
        let fields = format!("status.foreign=true{fields}").replace('=', "%3D");
        let answer =
            self.dev.get(&self.follower, &path(&format!("runnables?fieldSelector={fields}"))).await?;
        (answer.status == 200).then(|| answer.body["items"].as_array().unwrap().clone())
    }

    async fn until_shown(&self, fields: &str, names: &[&str]) -> Vec<Value> {
        until(&format!("{names:?} are shown with {fields:?}"), async || {
            let shown = self.shown(fields).await?;
            let mut found: Vec<_> = shown
                .iter()
                .map(|one| one["status"]["foreign"]["name"].as_str().unwrap_or_default())
                .collect();
            found.sort_unstable();
            (found == names).then_some(shown)
        })
        .await
    }
}

/// Exit code and all that the client says.
async fn tallyman(url: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command.env("TALLYMAN_SERVER", url).args(arguments).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_others_appear_on_a_follower_end_and_vanish_and_cannot_be_cancelled() {
    let stage = Stage::start().await;
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nightly"}});
    let nightly = stage.make("/api/v1/namespaces/ops/configmaps", &config).await;
    let mut child = job("nightly-1", "10s");
    child["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "nightly", "uid": nightly["metadata"]["uid"],
        "controller": true,
    }]);
    stage.make(JOBS, &child).await;
    stage.make(JOBS, &job("by-hand", "1h")).await;
    stage.make("/apis/batch/v1/namespaces/elsewhere/jobs", &job("not-selected", "1h")).await;
    let running =
        stage.until_shown(",status.phase=Running,status.cluster=east", &["by-hand", "nightly-1"]).await;
    let child = running.iter().find(|one| one["status"]["foreign"]["name"] == "nightly-1").unwrap();
    assert_eq!(child["status"]["foreign"]["owner"]["name"], "nightly", "{child:#}");
    assert_eq!(child["metadata"]["namespace"], "ops");
    let name = child["metadata"]["name"].as_str().unwrap().to_owned();

    let (code, said) = tallyman(&stage.follower, &["cancel", &name, "-n", "ops"]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("was not submitted here, and is only shown"), "{said}");
    let (code, said) = tallyman(&stage.follower, &["get", &name, "-n", "ops"]).await;
    assert!(code == Some(0) && said.contains(&name), "{said}");
    let (code, said) = tallyman(&stage.follower, &["list", "-n", "ops", "-l", "team=rates"]).await;
    assert!(code == Some(0) && said.contains(&name) && said.contains("by-hand"), "{said}");

    stage.until_shown(",status.phase=Succeeded", &["nightly-1"]).await;
    let delete = stage.dev.http.delete(format!("{}{JOBS}/by-hand", stage.east));
    assert_eq!(answer(delete).await.unwrap().status, 200);
    stage.until_shown("", &["nightly-1"]).await;
    stage.change("application/merge-patch+json", r#"{"spec": {"observe": []}}"#).await;
    stage.until_shown("", &[]).await;
}
