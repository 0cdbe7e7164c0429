//! Objects of kinds that nothing here knows, on simulated clusters that have their definitions.

use crate::dev::{Dev, answer, binary, path, until};
use serde_json::{Value, json};
use tokio::process::Command;

const GROUP: &str = "tests.example.com";

/// A definition of a kind whose plural nobody would guess.
fn definition(scope: &str) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgetry.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": scope, "names": {"kind": "Widget", "plural": "widgetry"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    })
}

fn widget(name: &str) -> Value {
    let api_version = format!("{GROUP}/v1");
    json!({"apiVersion": api_version, "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 3}})
}

/// A run of a short Job that needs a Widget.
fn run(name: &str) -> Value {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"spec": pod}}});
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {"placement": {"clusters": ["east"]}, "manifests": [widget(name), job]},
    })
}

fn created(run: &Value) -> String {
    let conditions = run["status"]["conditions"].as_array();
    let is_it = |one: &&Value| one["type"] == "Created";
    conditions
        .and_then(|all| all.iter().find(is_it))
        .map(|one| one["message"].to_string())
        .unwrap_or_default()
}

struct Stage {
    dev: Dev,
    url: String,
    east: String,
}

impl Stage {
    async fn start() -> Self {
        let dev = Dev::start(&[]).await;
        let url = dev.leader().await.url;
        let east = dev.clusters().into_iter().find(|(name, _)| name == "east").unwrap().1;
        Self { dev, url, east }
    }

    async fn submit(&self, document: &Value) {
        until("the group has seen that all its replicas know any kind", async || {
            let answer = self.dev.submit(&self.url, "risk", document).await?;
            assert!(matches!(answer.status, 201 | 503), "{answer:?}");
            (answer.status == 201).then_some(())
        })
        .await;
    }

    async fn define(&self, definition: &Value) {
        let url = format!("{}/apis/apiextensions.k8s.io/v1/customresourcedefinitions", self.east);
        let made = answer(self.dev.http.post(url).json(definition)).await.unwrap();
        assert_eq!(made.status, 201, "{made:?}");
    }

    async fn run(&self, name: &str) -> Option<Value> {
        let run = path(&format!("namespaces/risk/runnables/{name}"));
        self.dev.get(&self.url, &run).await.map(|answer| answer.body)
    }

    /// What the client says to this.
    async fn client(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(binary());
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("TALLYMAN_SERVER", &self.url);
        let output = command.args(arguments).kill_on_drop(true).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn shown(&self, path: &str) -> Option<Value> {
        let path = format!("/k8s/clusters/east/apis/{GROUP}/v1{path}");
        self.dev.get(&self.url, &path).await.filter(|answer| answer.status == 200).map(|answer| answer.body)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_a_kind_that_appears_later_is_waited_for_made_and_shown_under_its_own_plural() {
    let stage = Stage::start().await;
    stage.submit(&run("report")).await;
    until("it says what is not served", async || {
        let run = stage.run("report").await?;
        created(&run).contains(&format!("does not serve {GROUP}/v1 Widget")).then_some(())
    })
    .await;
    stage.define(&definition("Namespaced")).await;
    stage.dev.until_phase("risk", "report", "Succeeded").await;
    let listed = until("it is shown", async || {
        let list = stage.shown("/namespaces/risk/widgetry").await?;
        (!list["items"].as_array()?.is_empty()).then_some(list)
    })
    .await;
    assert_eq!(listed["kind"], "WidgetList");
    assert_eq!(listed["items"][0]["spec"], json!({"size": 3}), "{listed:#}");
    let resources = stage.shown("").await.unwrap();
    assert_eq!(resources["resources"][0]["name"], "widgetry", "{resources:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_not_in_namespaces_on_its_cluster_ends_the_run_with_words() {
    let stage = Stage::start().await;
    stage.define(&definition("Cluster")).await;
    stage.submit(&run("report")).await;
    stage.dev.until_phase("risk", "report", "Failed").await;
    let run = stage.run("report").await.unwrap();
    assert!(run["status"].to_string().contains("is not in namespaces there"), "{run:#}");
}

/// A run of a Widget alone.
fn of_a_widget(name: &str) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
        "spec": {"placement": {"clusters": ["east"]}, "manifests": [widget(name)]},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_a_kind_that_nobody_knows_ends_as_a_status_rule_says() {
    let stage = Stage::start().await;
    stage.define(&definition("Namespaced")).await;
    let rules = format!("{}{}", stage.url, path("statusrules"));
    let rule = |succeeded: &str| {
        json!({
            "apiVersion": "tallyman.dev/v1", "kind": "StatusRule", "metadata": {"name": "widgets"},
            "spec": {"group": GROUP, "kind": "Widget", "succeeded": succeeded,
                "running": "has(object.status.phase)", "message": "object.status.message"},
        })
    };
    until("the group has seen that all its replicas know rules", async || {
        let made = answer(stage.dev.http.post(&rules).json(&rule("object.status.phase == 'Done'"))).await?;
        assert!(matches!(made.status, 201 | 503), "{made:?}");
        (made.status == 201).then_some(())
    })
    .await;
    let wrong =
        answer(stage.dev.http.put(format!("{rules}/widgets")).json(&rule("object.status.phase = 'Done'")));
    let said = wrong.await.unwrap();
    assert_eq!(said.status, 422, "{said:?}");
    assert!(said.body["message"].as_str().unwrap().contains("character 21: equality is =="), "{said:?}");
    let said = stage.client(&["statusrule", "apply", "examples/spark-rule.yaml"]).await;
    assert!(said.contains("spark   for SparkApplication") && said.contains("ray   for RayJob"), "{said}");
    let said = stage.client(&["statusrule", "list", "--no-headers"]).await;
    assert_eq!(said.lines().count(), 3, "{said}");
    stage.client(&["statusrule", "delete", "ray"]).await;
    for name in ["report", "other"] {
        stage.submit(&of_a_widget(name)).await;
        stage.dev.until_phase("risk", name, "Pending").await;
    }
    // Whoever looks after Widgets writes their status.
    let says = async |name: &str, status: Value| {
        let url = format!("{}/apis/{GROUP}/v1/namespaces/risk/widgetry/{name}", stage.east);
        let patch = json!({ "status": status }).to_string();
        let patch =
            stage.dev.http.patch(url).header("content-type", "application/merge-patch+json").body(patch);
        let done = answer(patch).await.unwrap();
        assert_eq!(done.status, 200, "{done:?}");
    };
    says("report", json!({"phase": "Working"})).await;
    stage.dev.until_phase("risk", "report", "Running").await;
    says("report", json!({"phase": "Done", "message": "3 of 3"})).await;
    let run = stage.dev.until_phase("risk", "report", "Succeeded").await;
    assert_eq!(run["status"]["attempts"][0]["message"], "3 of 3", "{run:#}");
    // Another rule is asked of what is there already.
    says("other", json!({"phase": "Finished"})).await;
    stage.dev.until_phase("risk", "other", "Running").await;
    let changed = answer(
        stage.dev.http.put(format!("{rules}/widgets")).json(&rule("object.status.phase == 'Finished'")),
    );
    assert_eq!(changed.await.unwrap().status, 200);
    stage.dev.until_phase("risk", "other", "Succeeded").await;
}
