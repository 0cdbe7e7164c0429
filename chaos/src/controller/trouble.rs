//! What keeps a Pod from running, as an annotation asks: its status and its Events say so as in a real cluster.

use super::plan::POD_REASON;
use crate::kind::Kind;
use crate::object::Object;
use crate::refusal::Refusal;
use crate::state::State;
use crate::{clock, meta};
use serde_json::{Value, json};

/// What is wrong with a Pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Unschedulable,
    ImagePullBackOff,
    CreateContainerConfigError,
    CrashLoopBackOff,
    FailedMount,
}

impl Trouble {
    /// Of a Pod; `None` if it may run.
    pub(super) fn of(pod: &Value) -> Option<Self> {
        Some(match meta::annotation(pod, POD_REASON)? {
            "Unschedulable" => Self::Unschedulable,
            "ImagePullBackOff" => Self::ImagePullBackOff,
            "CreateContainerConfigError" => Self::CreateContainerConfigError,
            "CrashLoopBackOff" => Self::CrashLoopBackOff,
            "FailedMount" => Self::FailedMount,
            _ => return None,
        })
    }

    /// Shows it on the Pod and in an Event.
    pub(super) fn show(self, state: &mut State, pod: &Object, value: &Value) -> Result<(), Refusal> {
        let image = meta::text(value, "/spec/containers/0/image");
        let pulling = format!("Back-off pulling image {image:?}");
        let (reason, message) = match self {
            Self::Unschedulable => ("FailedScheduling", UNSCHEDULABLE),
            Self::ImagePullBackOff => ("Failed", pulling.as_str()),
            Self::CreateContainerConfigError => ("Failed", "Error: configmap \"missing\" not found"),
            Self::CrashLoopBackOff => ("BackOff", "Back-off restarting failed container"),
            Self::FailedMount => ("FailedMount", "MountVolume.SetUp failed for volume \"data\": not found"),
        };
        state.edit(&Kind::Pod, &pod.key, |value| self.mark(value, &pulling))?;
        warn(state, pod, reason, message)
    }

    fn mark(self, pod: &mut Value, pulling: &str) {
        // The same each time it is looked at: what does not change is not written.
        let since = meta::text(pod, "/metadata/creationTimestamp").to_owned();
        if self == Self::Unschedulable {
            let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": UNSCHEDULABLE, "lastTransitionTime": since});
            return meta::set(pod, &["status", "conditions"], vec![condition]);
        }
        let (waiting, message) = match self {
            Self::ImagePullBackOff => ("ImagePullBackOff", pulling),
            Self::CreateContainerConfigError => {
                ("CreateContainerConfigError", "configmap \"missing\" not found")
            }
            Self::CrashLoopBackOff => ("CrashLoopBackOff", "back-off 40s restarting failed container"),
            Self::Unschedulable | Self::FailedMount => ("ContainerCreating", ""),
        };
        let crashes = self == Self::CrashLoopBackOff;
        let mut status = json!({
            "name": meta::text(pod, "/spec/containers/0/name"),
            "image": meta::text(pod, "/spec/containers/0/image"),
            "ready": false,
            "restartCount": if crashes { 3 } else { 0 },
            "state": {"waiting": {"reason": waiting, "message": message}},
        });
        if crashes {
            status["lastState"] = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
        }
        meta::set(pod, &["spec", "nodeName"], "simulated");
        meta::set(pod, &["status", "phase"], if crashes { "Running" } else { "Pending" });
        meta::set(pod, &["status", "startTime"], since);
        meta::set(pod, &["status", "containerStatuses"], vec![status]);
    }
}

const UNSCHEDULABLE: &str = "0/1 nodes are available: 1 Insufficient memory.";

/// Whether a container of a Pod waits though nothing keeps it any more.
pub(super) fn is_over(pod: &Value) -> bool {
    pod.pointer("/status/containerStatuses/0/state/waiting").is_some()
}

/// A Job, or a workload, whose Pods are refused, as by a quota.
pub(super) fn refuses_pods(owner: &Value) -> bool {
    meta::annotation(owner, POD_REASON) == Some("FailedCreate")
}

/// Says that its Pods are refused.
pub(super) fn refuse(state: &mut State, owner: &Object) -> Result<(), Refusal> {
    let message = format!(
        "Error creating: pods \"{}-x7k2p\" is forbidden: exceeded quota: limit, requested: pods=1, used: pods=0, \
         limited: pods=0",
        owner.name
    );
    warn(state, owner, "FailedCreate", &message)
}

/// A Warning about an object, once for each reason. It goes with the object, so that there are never many.
fn warn(state: &mut State, about: &Object, reason: &str, message: &str) -> Result<(), Refusal> {
    let name = format!("{}.{}", about.name, reason.to_ascii_lowercase());
    if state.get(&Kind::Event, &Kind::Event.key(&about.namespace, &name)).is_some() {
        return Ok(());
    }
    let (now, kind) = (clock::now(), about.kind.name());
    let api_version = match about.kind.group() {
        "" => "v1".to_owned(),
        group => format!("{group}/v1"),
    };
    let owner = json!({"apiVersion": api_version, "kind": kind, "name": about.name, "uid": about.uid});
    let event = json!({
        "metadata": {"name": name, "namespace": about.namespace, "ownerReferences": [owner]},
        "involvedObject": {"apiVersion": api_version, "kind": kind, "namespace": about.namespace,
            "name": about.name, "uid": about.uid},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": "simulated"},
    });
    state.insert(&Kind::Event, event).map(drop)
}
