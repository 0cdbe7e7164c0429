//! The CronJob that releases holds on a cluster when Tallyman is gone, with no more rights than that takes.

use super::kinds;
use crate::exit::Failure;
use crate::output::yaml;
use serde_json::{Value, json};
use tallyman_model::GroupId;

const RBAC: &str = "rbac.authorization.k8s.io";
/// Where a Pod has its account's credentials, and its file.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const FOLDER: &str = "/etc/tallyman";
const FILE: &str = "kubeconfig";

/// How it is to run.
#[derive(Debug, clap::Args)]
pub(super) struct Manifest {
    /// Print a CronJob that does this on the cluster every day, with its account and role
    #[arg(long, conflicts_with_all = ["kubeconfig", "context", "force", "dry_run", "overdue"])]
    manifest: bool,
    /// With --manifest: the image
    #[arg(long, value_name = "IMAGE", default_value = "tallyman.dev/tallyman:0.0.0")]
    image: String,
    /// With --manifest: when it runs, as cron has it
    #[arg(long, value_name = "CRON", default_value = "17 3 * * *")]
    schedule: String,
    /// With --manifest: the name of the CronJob, its account and its role
    #[arg(long, value_name = "NAME", default_value = "tallyman-release")]
    name: String,
    /// With --manifest: its namespace, which must be there
    #[arg(long, value_name = "NS", default_value = "tallyman")]
    namespace: String,
}

impl Manifest {
    pub(super) fn is_wanted(&self) -> bool {
        self.manifest
    }

    /// All documents, as YAML.
    pub(super) fn yaml(&self, group: Option<GroupId>) -> Result<String, Failure> {
        let documents: Result<Vec<String>, Failure> = self.documents(group).iter().map(yaml).collect();
        Ok(documents?.join("---\n"))
    }

    fn documents(&self, group: Option<GroupId>) -> [Value; 5] {
        let role = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": self.name});
        let subject = json!({"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace});
        [
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": self.metadata()}),
            json!({
                "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": self.name},
                "rules": rules(),
            }),
            json!({
                "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding",
                "metadata": {"name": self.name}, "roleRef": role, "subjects": [subject],
            }),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata(),
                "data": {FILE: kubeconfig().to_string()},
            }),
            json!({
                "apiVersion": "batch/v1", "kind": "CronJob", "metadata": self.metadata(),
                "spec": {
                    "schedule": self.schedule, "concurrencyPolicy": "Forbid",
                    "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 3,
                    "jobTemplate": {"spec": {
                        "backoffLimit": 2, "activeDeadlineSeconds": 3600, "template": {"spec": self.pod(group)},
                    }},
                },
            }),
        ]
    }

    fn metadata(&self) -> Value {
        json!({"name": self.name, "namespace": self.namespace})
    }

    fn pod(&self, group: Option<GroupId>) -> Value {
        let mut arguments = vec![
            "cluster".to_owned(),
            "release".to_owned(),
            "--overdue".to_owned(),
            "--kubeconfig".to_owned(),
            format!("{FOLDER}/{FILE}"),
        ];
        if let Some(group) = group {
            arguments.extend(["--group".to_owned(), group.to_string()]);
        }
        json!({
            "restartPolicy": "Never", "serviceAccountName": self.name, "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "release", "image": self.image, "imagePullPolicy": "IfNotPresent", "args": arguments,
                "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": FILE, "mountPath": FOLDER, "readOnly": true}],
            }],
            "volumes": [{"name": FILE, "configMap": {"name": self.name}}],
        })
    }
}

/// What it asks of the cluster: to find what is held, to read until when, and to take the hold off.
fn rules() -> Vec<Value> {
    kinds()
        .map(|kind| {
            let verbs = ["list", "get", "patch"];
            json!({"apiGroups": [kind.group()], "resources": [kind.plural()], "verbs": verbs})
        })
        .collect()
}

/// The way to the cluster from inside. It holds no secret: the account's are files of the Pod.
fn kubeconfig() -> Value {
    let cluster = json!({
        "server": "https://kubernetes.default.svc", "certificate-authority": format!("{ACCOUNT}/ca.crt"),
    });
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "here", "user": {"tokenFile": format!("{ACCOUNT}/token")}}],
    })
}
