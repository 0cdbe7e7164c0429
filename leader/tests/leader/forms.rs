//! How much of its objects a cluster is asked for, over sockets.

use crate::sockets::Wired;
use serde_json::{Value, json};
use tallyman_chaos::{RUN_FOR, Verb};
use tallyman_model::command::{PutStatusRule, RaiseVersion, RemoveStatusRule};
use tallyman_model::record::Expressions;
use tallyman_model::{Command, Env, GROUP_VERSION, Phase, ReplicaId, manifest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const GROUP: &str = "tests.example.com";

impl Wired {
    /// Has the first cluster serve Widgets.
    async fn define(&self) {
        let schema =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("widgets.{GROUP}")},
            "spec": {
                "group": GROUP, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
            },
        });
        self.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await;
    }

    async fn post(&self, path: &str, body: &Value) {
        let server = self.clusters[0].server();
        let mut stream = TcpStream::connect(server.strip_prefix("http://").unwrap()).await.unwrap();
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: east\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    /// A run of a Widget, beside a Job or alone.
    fn submit_widget(&self, name: &str, job: bool) {
        let widget = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Widget", "metadata": {"name": name},
            "spec": {"size": 3}});
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
        let annotations = json!({RUN_FOR: "60s"});
        let long = json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": pod}},
            "metadata": {"name": name, "annotations": annotations}});
        let manifests = if job { json!([widget, long]) } else { json!([widget]) };
        let value = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"manifests": manifests},
        });
        let submit = manifest::accept(value, "risk", self.state.env.uid()).expect("it is well-formed");
        self.ok(Command::Submit(Box::new(submit)));
    }

    /// Watches and listings of Widgets that asked for whole objects, and those for metadata.
    fn forms(&self) -> [(u64, u64); 2] {
        let requests = self.clusters[0].requests();
        [requests.by_form(Verb::Watch, "widgets"), requests.by_form(Verb::List, "widgets")]
    }
}

/// `uid`: the rule is to be made; `None`: it is to be changed.
fn rule(uid: Option<tallyman_model::Uid>, size: u32) -> Command {
    Command::PutStatusRule(Box::new(PutStatusRule {
        uid,
        name: "widgets".to_owned(),
        group: GROUP.to_owned(),
        kind: "Widget".to_owned(),
        expressions: Expressions {
            succeeded: format!("object.spec.size == {size}"),
            failed: "!has(object.spec)".to_owned(),
            ..Expressions::default()
        },
        ..PutStatusRule::default()
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_asked_for_whole_only_while_a_rule_reads_them() {
    let mut wired = Wired::start(&["east"]).await;
    let understood_by = vec![ReplicaId(1)];
    wired.ok(Command::RaiseVersion(RaiseVersion { to: GROUP_VERSION, understood_by }));
    wired.define().await;
    wired.lead();
    wired.submit_widget("beside", true);
    wired.until("it runs", |wired| wired.get("beside").phase == Phase::Running).await;
    wired.until("its kind is watched by metadata", |wired| wired.forms()[0].1 > 0).await;
    let [watches, lists] = wired.forms();
    assert_eq!((watches.0, lists.0), (0, 0), "nobody reads a status");
    wired.ok(rule(Some(wired.state.env.uid()), 4));
    wired.submit_widget("alone", false);
    wired.until("a watch of whole objects", |wired| wired.forms()[0].0 > 0).await;
    wired.until("it runs by the rule", |wired| wired.get("alone").phase == Phase::Running).await;
    wired.ok(rule(None, 3));
    wired.until("it ends by the rule", |wired| wired.get("alone").phase.is_terminal()).await;
    assert_eq!(wired.get("alone").phase, Phase::Succeeded, "metadata alone was never judged");
    let before = wired.forms();
    wired.ok(Command::RemoveStatusRule(RemoveStatusRule { name: "widgets".to_owned(), revision: None }));
    wired.until("a watch of metadata again", |wired| wired.forms()[0].1 > before[0].1).await;
}
