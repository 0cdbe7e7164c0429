//! What Tallyman writes on every object that it makes.

/// Label: the group's id.
pub const GROUP: &str = "tallyman.dev/group";
/// Label: the submission's UID.
pub const SUBMISSION_UID: &str = "tallyman.dev/submission-uid";
/// Annotation of objects, label of their Pods: the attempt's number.
pub const ATTEMPT: &str = "tallyman.dev/attempt";
/// Annotation: the digest of the manifest.
pub const DIGEST: &str = "tallyman.dev/digest";
/// Annotation: the UID of the cluster that it was sent to.
pub const CLUSTER_UID: &str = "tallyman.dev/cluster-uid";
/// Annotation: from when anybody may release the hold, RFC 3339.
pub const HOLD_UNTIL: &str = "tallyman.dev/hold-until";
/// Finalizer: holds a main object until its end is in the log.
pub const HOLD: &str = "tallyman.dev/hold";
/// Finalizer, on our own records only: the objects are being removed from their cluster.
pub const OBJECTS: &str = "tallyman.dev/objects";
/// Label of an allocation: its pool's name.
pub const POOL: &str = "tallyman.dev/pool";
/// The field manager that applies what is kept in sync.
pub const MANAGER: &str = "tallyman";
/// Users may not set anything under this prefix.
pub const PREFIX: &str = "tallyman.dev/";

/// Annotation of a main object, label of its Pods: the fencing token of a lock.
#[must_use]
pub fn lock(name: &str) -> String {
    format!("{PREFIX}lock.{name}")
}

/// The selector of the Pods of one attempt of a submission.
#[must_use]
pub fn pods(submission: crate::Uid, attempt: u32) -> String {
    format!("{SUBMISSION_UID}={submission},{ATTEMPT}={attempt}")
}

/// The selector of everything that a group made.
#[must_use]
pub fn selector(group: crate::GroupId) -> String {
    format!("{GROUP}={group}")
}
