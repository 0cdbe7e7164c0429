//! What a failed list or watch means for the machine.

use crate::error::{CallError, NotSent, RefusedKind, Unknown};

/// Why a list or a watch did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The start is no longer known (410).
    Expired,
    /// The server has not come as far as the start (504, "too large resource version").
    Behind,
    /// Not allowed (401, 403).
    Denied,
    /// The kind does not exist (404).
    Absent,
    /// The answer was too long.
    TooLong,
    /// The server asked to be left alone for some time.
    TooMany {
        /// How long, ms.
        wait_ms: u64,
    },
    /// A breaker or a permit of ours held it back: nothing was sent, so asking again soon costs nothing.
    HeldBack,
    /// Anything that may pass.
    Transient,
}

impl Failure {
    /// Of a call.
    #[must_use]
    pub fn of(error: &CallError) -> Self {
        match error {
            CallError::Unknown { why: Unknown::TooLong, .. } => return Self::TooLong,
            CallError::NotSent { why: NotSent::BreakerOpen | NotSent::ListsBusy, .. } => {
                return Self::HeldBack;
            }
            _ => {}
        }
        let wait_ms = error.retry_after_s().map(|seconds| u64::from(seconds) * 1000);
        if let Some(answer) = error.answer()
            && is_behind(answer.status, &answer.message)
        {
            return Self::Behind;
        }
        match (error.refused_kind(), wait_ms) {
            (Some(RefusedKind::Expired), _) => Self::Expired,
            (Some(RefusedKind::Forbidden | RefusedKind::Unauthorized), _) => Self::Denied,
            (Some(RefusedKind::NotFound | RefusedKind::KindMissing), _) => Self::Absent,
            (_, Some(wait_ms)) => Self::TooMany { wait_ms },
            _ => Self::Transient,
        }
    }

    /// Of an error in a stream.
    #[must_use]
    pub fn in_stream(code: u16, reason: &str, message: &str, retry_after_s: Option<u32>) -> Self {
        match (code, reason) {
            (410, _) | (_, "Expired" | "Gone") => Self::Expired,
            (401 | 403, _) => Self::Denied,
            (404, _) => Self::Absent,
            _ if is_behind(code, message) => Self::Behind,
            _ => match retry_after_s {
                Some(seconds) => Self::TooMany { wait_ms: u64::from(seconds) * 1000 },
                None => Self::Transient,
            },
        }
    }
}

fn is_behind(code: u16, message: &str) -> bool {
    code == 504 && message.to_ascii_lowercase().contains("too large resource version")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::classify;

    #[test]
    fn a_server_that_is_behind_is_told_from_a_gateway_that_gave_up() {
        let body =
            br#"{"kind":"Status","reason":"Timeout","message":"Too large resource version: 9, current: 5",
            "details":{"retryAfterSeconds":1}}"#;
        assert_eq!(Failure::of(&classify(504, None, body)), Failure::Behind);
        assert_eq!(Failure::of(&classify(504, None, b"gateway timeout")), Failure::Transient);
        assert_eq!(
            Failure::in_stream(504, "Timeout", "Too large resource version: 9", None),
            Failure::Behind
        );
    }

    #[test]
    fn both_forms_of_410_mean_the_same() {
        assert_eq!(Failure::of(&classify(410, None, b"")), Failure::Expired);
        assert_eq!(Failure::in_stream(410, "Expired", "", None), Failure::Expired);
        assert_eq!(Failure::in_stream(0, "Gone", "", None), Failure::Expired);
    }

    #[test]
    fn patience_that_is_asked_for_is_kept() {
        assert_eq!(Failure::of(&classify(429, Some(3), b"")), Failure::TooMany { wait_ms: 3000 });
        assert_eq!(Failure::of(&classify(503, Some(3), b"")), Failure::TooMany { wait_ms: 3000 });
        assert_eq!(Failure::in_stream(429, "", "", Some(2)), Failure::TooMany { wait_ms: 2000 });
    }
}
