//! Which kinds a submission may bring to a cluster.

use crate::record::Kind;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Submission {
    Runnable,
    Deployable,
}

/// Groups whose kinds decide who may do what, or what is let in, and those of Tallyman itself.
const GROUPS_REFUSED: [(&str, &str); 7] = [
    ("rbac.authorization.k8s.io", "rights are given by the cluster's own people"),
    ("admissionregistration.k8s.io", "what a cluster lets in is set up by its own people"),
    ("apiextensions.k8s.io", "kinds are defined by deployables, or by the cluster's own people"),
    ("apiregistration.k8s.io", "the parts of a cluster's API are set up by its own people"),
    ("authentication.k8s.io", "it is a question and not an object"),
    ("authorization.k8s.io", "it is a question and not an object"),
    ("tallyman.dev", "it is Tallyman's own: send it to Tallyman as a request of its own"),
];

/// Kinds that are not in namespaces wherever they are served.
const CLUSTER_SCOPED: [(&str, &str); 21] = [
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("", "ComponentStatus"),
    ("argoproj.io", "ClusterWorkflowTemplate"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("certificates.k8s.io", "ClusterTrustBundle"),
    ("cert-manager.io", "ClusterIssuer"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("kueue.x-k8s.io", "ClusterQueue"),
    ("kueue.x-k8s.io", "ResourceFlavor"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("resource.k8s.io", "DeviceClass"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
];

/// Why what was not submitted here is not shown of `kind`; `None`: it may be.
///
/// Whether a kind that is not known here is in namespaces is learnt from the cluster.
#[must_use]
pub fn not_observed(kind: &Kind) -> Option<String> {
    if !kind.is_watched() {
        return Some(format!("{kind} is not watched: it does not run to an end"));
    }
    refused(kind, Submission::Runnable)
        .map(|_| format!("{} {kind} is not watched: it is no work", kind.api_version()))
}

/// Why a submission may not hold an object of `kind`, and what to do instead; `None`: it may. Definitions of kinds, which
/// are in no namespace, are for deployables, and for clusters whose role for Tallyman has them.
///
/// Whether a kind that is not known here is in namespaces is learnt from the cluster, before the object is sent.
pub(super) fn refused(kind: &Kind, of: Submission) -> Option<String> {
    if of == Submission::Deployable && kind.is_definition() {
        return None;
    }
    let (group, name) = (kind.group(), kind.as_str());
    let is = |known: &(&str, &str)| *known == (group, name);
    if is(&("", "Secret")) {
        return Some("Secrets are not taken: make it on the cluster and refer to it by name".to_owned());
    }
    if let Some((_, why)) = GROUPS_REFUSED.iter().find(|(refused, _)| *refused == group) {
        return Some(format!("{} {name} is not taken: {why}", kind.api_version()));
    }
    if CLUSTER_SCOPED.iter().any(is) {
        return Some(format!(
            "{name} is not taken: it is not in a namespace, and objects are made in namespaces only; have the \
             cluster's own people make it"
        ));
    }
    if is(&("", "Event")) || is(&("events.k8s.io", "Event")) || is(&("", "Binding")) {
        return Some(format!("{name} is not taken: the cluster itself makes it"));
    }
    if name == "List" || name.ends_with("List") && group.is_empty() {
        return Some(format!("{name} is not taken: give its items one by one"));
    }
    None
}
