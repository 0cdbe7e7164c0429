//! Refusals of a cluster, and what to do about them.

use std::fmt;
use tallyman_model::Class;
use thiserror::Error;

/// What a cluster answered instead of doing what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the cluster answered {status} {reason}: {message}")]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The `reason` of the Kubernetes `Status`; empty if the answer was none.
    pub reason: String,
    /// Its message, cut to [`MESSAGE_BYTES_MAX`](tallyman_model::limits::MESSAGE_BYTES_MAX).
    pub message: String,
    /// For how long the cluster asked to be left alone.
    pub retry_after_s: Option<u32>,
    /// What it means.
    pub kind: RefusedKind,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusedKind {
    /// An object of this name exists: ours or not, that is to be read.
    AlreadyExists,
    /// A precondition (UID, resourceVersion) does not hold, or a concurrent write won.
    Conflict,
    /// Others own fields that an apply would change; the message names them.
    FieldConflict,
    /// The object is not there.
    NotFound,
    /// The namespace is not there.
    NamespaceMissing,
    /// The namespace is being deleted: nothing can be made in it.
    NamespaceTerminating,
    /// The cluster does not know the kind, or what answers is no kube-apiserver.
    KindMissing,
    /// Our identity lacks the right, or a policy forbids it.
    Forbidden,
    /// Our credentials are not accepted.
    Unauthorized,
    /// The object or request is wrong and stays wrong.
    Invalid,
    /// The object is too large for the cluster.
    TooLarge,
    /// A quota of the namespace is used up.
    Quota,
    /// The cluster is overloaded and did not start.
    TooMany,
    /// The resourceVersion or `continue` is no longer known: everything must be listed anew.
    Expired,
    /// An answer that no kube-apiserver gives, such as the redirect of a login page.
    Other,
}

impl RefusedKind {
    /// What helps against it.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Invalid | Self::TooLarge => Class::Permanent,
            // What is there, or is not any more, is read before anything is concluded from it.
            Self::AlreadyExists
            | Self::NotFound
            | Self::Conflict
            | Self::NamespaceMissing
            | Self::NamespaceTerminating
            | Self::Quota
            | Self::TooMany
            | Self::Expired => Class::Transient,
            // Somebody decides whose the fields are.
            Self::FieldConflict | Self::KindMissing | Self::Forbidden | Self::Unauthorized | Self::Other => {
                Class::Operator
            }
        }
    }
}

impl fmt::Display for RefusedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
