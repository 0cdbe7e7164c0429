//! What may be concluded from a call that failed.

mod answer;
mod refused;

pub(crate) use answer::classify;
pub use refused::{Refused, RefusedKind};

use std::fmt;
use thiserror::Error;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A call that did not succeed, by what is certain about it.
#[derive(Debug, Error)]
pub enum CallError {
    /// Certainly nothing reached the cluster: the call may be repeated, or given up, as if it had never been made.
    #[error("failed to send the request: {why}")]
    NotSent {
        /// Where it stopped.
        why: NotSent,
        /// What the layer below said.
        #[source]
        source: Option<Cause>,
    },
    /// The cluster answered that it did nothing, and why.
    #[error(transparent)]
    Refused(Refused),
    /// The request may or may not have taken effect, now or until some time after the deadline. A write must be read
    /// back before anything is concluded; for a read it means that nothing was learnt.
    #[error("failed to learn what became of the request: {why}")]
    Unknown {
        /// How the answer was lost.
        why: Unknown,
        /// What the cluster, or something before it, answered, if it did.
        answer: Option<Box<Refused>>,
        /// What the layer below said.
        #[source]
        source: Option<Cause>,
    },
}

/// An error and what it came from at the bottom, in one sentence for people. Never carries a body or a credential.
#[must_use]
pub fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let root = std::iter::successors(error.source(), |error| error.source()).last();
    root.map_or_else(|| error.to_string(), |root| format!("{error}: {root}"))
}

/// Where a request stopped before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// No connection: name, route, TCP or TLS.
    Connect,
    /// The credentials could not be read.
    Credentials,
    /// What the cluster serves is not known: its discovery was not answered.
    Discovery,
    /// It cannot be written as a request.
    Request,
    /// Recent calls reached nobody; one probe at a time is let through.
    BreakerOpen,
    /// The cluster asked for patience, or too many writes are under way: no slot came free in time.
    Busy,
    /// Too many pages of listings are being read.
    ListsBusy,
    /// The leadership that the call was made for is over, or may be.
    Fenced,
}

/// How the answer of a sent request was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The deadline passed.
    Deadline,
    /// The connection broke.
    Connection,
    /// The status does not say whether it took effect.
    Status,
    /// The answer broke off, or is not what a kube-apiserver sends.
    Body,
    /// The answer was longer than is taken.
    TooLong,
}

impl CallError {
    pub(crate) fn not_sent(why: NotSent, source: impl Into<Cause>) -> Self {
        Self::NotSent { why, source: Some(source.into()) }
    }

    pub(crate) fn unsent(why: NotSent) -> Self {
        Self::NotSent { why, source: None }
    }

    pub(crate) fn unknown(why: Unknown, source: impl Into<Cause>) -> Self {
        Self::Unknown { why, answer: None, source: Some(source.into()) }
    }

    pub(crate) fn lost(why: Unknown) -> Self {
        Self::Unknown { why, answer: None, source: None }
    }

    /// It was held back, because of what recent calls met: `why`, in words.
    pub(crate) fn held_back(why: String) -> Self {
        Self::NotSent { why: NotSent::BreakerOpen, source: Some(why.into()) }
    }

    /// What the cluster answered, also where that proves nothing.
    #[must_use]
    pub fn answer(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Unknown { answer, .. } => answer.as_deref(),
            Self::NotSent { .. } => None,
        }
    }

    /// The refusal's kind, if it is one.
    #[must_use]
    pub fn refused_kind(&self) -> Option<RefusedKind> {
        match self {
            Self::Refused(refused) => Some(refused.kind),
            Self::NotSent { .. } | Self::Unknown { .. } => None,
        }
    }

    /// For how long the cluster asked to be left alone.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        self.answer()?.retry_after_s
    }

    /// True if something at the cluster's address answered: it is there, whatever it said.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Unknown { why, .. } => matches!(why, Unknown::Status | Unknown::Body | Unknown::TooLong),
            Self::NotSent { .. } => false,
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection to the cluster",
            Self::Credentials => "the credentials cannot be read",
            Self::Discovery => "the cluster did not say what it serves",
            Self::Request => "it cannot be written as a request",
            Self::BreakerOpen => "the cluster did not answer lately",
            Self::Busy => "no write to the cluster may start now",
            Self::ListsBusy => "too many listings are being read",
            Self::Fenced => "the leadership it was made for is over",
        })
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "no answer before the deadline",
            Self::Connection => "the connection broke",
            Self::Status => "the answer does not say",
            Self::Body => "the answer cannot be read",
            Self::TooLong => "the answer is too long",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_the_error_and_its_root() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = CallError::not_sent(NotSent::Connect, std::io::Error::other(refused));
        let expected = "failed to send the request: no connection to the cluster: connection refused";
        assert_eq!(words(&error), expected);
        let lost = CallError::lost(Unknown::Deadline);
        assert_eq!(words(&lost), "failed to learn what became of the request: no answer before the deadline");
    }
}
