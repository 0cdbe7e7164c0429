//! What goes wrong with one kube write.

use tallyman_cluster::{CallError, NotSent, Refused, RefusedKind, Unknown};

/// A fault of one kube write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not leave.
    Unsent,
    /// It takes effect; the answer is lost.
    LostAfter,
    /// It never takes effect; nobody knows.
    LostBefore,
    /// It never takes effect, and the name is somebody else's from then on; nobody knows.
    Stolen,
    /// It takes effect this many ms later; nobody knows.
    Late(u64),
    /// Right before it somebody adds a finalizer to the object.
    Meddled,
    /// Right before it somebody puts another object in its place.
    Replaced,
    /// It is refused.
    Refused(u16, RefusedKind),
}

pub(crate) fn unsent() -> CallError {
    CallError::NotSent { why: NotSent::Connect, source: None }
}

/// An answer that says nothing, so that the breaker stays out of it.
pub(crate) fn lost() -> CallError {
    CallError::Unknown { why: Unknown::Status, answer: None, source: None }
}

pub(crate) fn refused(status: u16, kind: RefusedKind) -> CallError {
    let (reason, message) = (format!("{kind}"), "the simulation says so".to_owned());
    CallError::Refused(Refused { status, reason, message, retry_after_s: None, kind })
}
