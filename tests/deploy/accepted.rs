//! All manifests, as a real kube-apiserver takes them.

use crate::kube::{Kube, documents, of_kind, root};
use serde_json::Value;
use std::collections::BTreeMap;

const FOLDERS: [&str; 4] = ["base", "overlays/dc1", "overlays/dc2", "overlays/dc3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn the_manifests_are_accepted_under_the_restricted_pod_security_standard() {
    let kube = Kube::up(&[]).await;
    // A dry run makes no namespace.
    let namespace = std::fs::read_to_string(root().join("deploy/kustomize/base/namespace.yaml")).unwrap();
    kube.apply(&namespace, &[]).await;
    for folder in FOLDERS {
        let path = format!("deploy/kustomize/{folder}");
        let arguments = ["apply", "--server-side", "--dry-run=server", "-k", &path];
        let output = kube.run(&arguments, "").await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{folder}: {said}");
        let rendered = documents(&kube.kubectl(&["kustomize", &path]).await);
        for kind in ["StatefulSet", "Job"] {
            let Some(object) = of_kind(&rendered, kind) else { continue };
            assert!(enforced(&kube, object).await, "{folder}: a Pod of the {kind} is refused");
        }
        replicas_are_listed_as_peers(folder, &rendered);
    }
    components_fit(&kube).await;
    let strict = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: tallyman}\n\
                  spec: {containers: [{name: main, image: any}]}\n";
    let refused = kube.run(&["create", "--dry-run=server", "-f", "-"], strict).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("violates PodSecurity"), "it is in force");
}

/// An overlay of one's own, as the README shows it, with both components.
async fn components_fit(kube: &Kube) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().canonicalize().unwrap();
    // kustomize takes no absolute paths.
    let up = "../".repeat(dir.components().count() - 1);
    let kustomize = format!("{up}{}/deploy/kustomize", root().display().to_string().trim_start_matches('/'));
    let overlay = format!(
        "namespace: tallyman\nresources: [{kustomize}/base]\n\
         components: [{kustomize}/components/strict-spread, {kustomize}/components/cert-manager]\n\
         images: [{{name: tallyman.dev/tallyman, newName: registry.example.com/tallyman, newTag: \"1\"}}]\n\
         patches:\n- target: {{kind: StatefulSet, name: tallyman}}\n  patch: |\n    \
         - {{op: add, path: /spec/volumeClaimTemplates/0/spec/storageClassName, value: fast-local}}\n"
    );
    std::fs::write(dir.join("kustomization.yaml"), overlay).unwrap();
    let yaml = kube.kubectl(&["kustomize", dir.to_str().unwrap()]).await;
    let rendered = documents(&yaml);
    // cert-manager's kinds are not on this cluster: one look at the names has to do.
    let (theirs, ours): (Vec<&Value>, Vec<&Value>) =
        rendered.iter().partition(|one| one["apiVersion"] == "cert-manager.io/v1");
    let names: Vec<String> = theirs.iter().map(|one| one["spec"]["dnsNames"].to_string()).collect();
    assert!(names.iter().any(|names| names.contains("*.tallyman-peers.tallyman.svc")), "{names:?}");
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": ours}).to_string();
    let warned = kube.apply(&list, &["--dry-run=server"]).await;
    assert_eq!(warned, "");
    let set = of_kind(&rendered, "StatefulSet").unwrap();
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"], "fast-local");
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["image"], "registry.example.com/tallyman:1");
    assert_eq!(pod["topologySpreadConstraints"][0]["whenUnsatisfiable"], "DoNotSchedule");
    assert!(pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"].is_null());
}

/// Pod security is enforced on Pods only: one is made, dry, of the template.
async fn enforced(kube: &Kube, object: &Value) -> bool {
    let mut pod = object["spec"]["template"].clone();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["name"] = "one".into();
    pod["metadata"]["namespace"] = object["metadata"]["namespace"].clone();
    // Claims are put in by the controller.
    let output =
        kube.run(&["create", "--dry-run=server", "--validate=false", "-f", "-"], &with_data(pod)).await;
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    output.status.success()
}

fn with_data(mut pod: Value) -> String {
    if let Some(volumes) = pod["spec"]["volumes"].as_array_mut() {
        volumes.push(serde_json::json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}}));
    }
    pod.to_string()
}

/// A replica whose own address is not in `peers` refuses to start.
fn replicas_are_listed_as_peers(folder: &str, rendered: &[Value]) {
    let set = of_kind(rendered, "StatefulSet").unwrap();
    let config = of_kind(rendered, "ConfigMap").unwrap()["data"]["tallyman.toml"].as_str().unwrap();
    let config: toml::Table = config.parse().unwrap();
    let peers: Vec<&str> =
        config["peers"].as_array().unwrap().iter().map(|peer| peer.as_str().unwrap()).collect();
    let environment = set["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    let start = set["spec"]["ordinals"]["start"].as_u64().unwrap_or(0);
    let count = set["spec"]["replicas"].as_u64().unwrap();
    let mut datacenter = String::new();
    for ordinal in start..start + count {
        let values = expanded(environment, &format!("tallyman-{ordinal}"));
        let host = &values["TALLYMAN_ADVERTISE"];
        datacenter.clone_from(&values["TALLYMAN_DATACENTER"]);
        assert!(peers.contains(&format!("{host}:7101").as_str()), "{folder}: {host} is not in {peers:?}");
    }
    if let Some(job) = of_kind(rendered, "Job") {
        let arguments = job["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
        assert!(arguments.contains(&format!("\"--expect\",\"{}\"", peers.len())), "{folder}: {arguments}");
    }
    let own = peers.iter().filter(|peer| peer.contains(&datacenter)).count() as u64;
    assert!(folder == "base" || own == count, "{folder}: {own} peers, {count} replicas");
}

/// The variables as kubelet gives them: one may refer only to those before it.
fn expanded(environment: &[Value], pod: &str) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for variable in environment {
        let of_pod = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            Some("metadata.name") => pod,
            Some("metadata.namespace") => "tallyman",
            _ => variable["value"].as_str().unwrap(),
        };
        let value = values
            .iter()
            .fold(of_pod.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value));
        values.insert(variable["name"].as_str().unwrap().to_owned(), value);
    }
    values
}
