//! From what is certain about a call to the outcome of its intent, as pure functions.

use tallyman_cluster::{CallError, Refused, RefusedKind, words};
use tallyman_model::command::Outcome;
use tallyman_model::record::Kind;
use tallyman_model::{Class, Reason};

/// Of a kube write that failed, where the failure says all: refusals that must be read first (`AlreadyExists`,
/// `Conflict`, `NotFound`) count as passing here.
pub(super) fn of_write(error: &CallError) -> Outcome {
    let message = words(error);
    match error {
        CallError::NotSent { .. } => Outcome::NotSent { message },
        CallError::Unknown { .. } => Outcome::Unknown { message },
        CallError::Refused(refused) => of_refusal(refused),
    }
}

/// Of a create that failed: as [`of_write`], and in clear words where the cluster does not serve the kind.
pub(super) fn of_create(kind: &Kind, error: &CallError) -> Outcome {
    let mut outcome = of_write(error);
    if let Outcome::Refused { message, .. } = &mut outcome
        && error.refused_kind() == Some(RefusedKind::KindMissing)
    {
        *message = format!("the cluster does not serve {} {kind}: install it there", kind.api_version());
    }
    outcome
}

/// Of a read that had to come before the write and failed: nothing was written.
pub(super) fn of_read_before(error: &CallError) -> Outcome {
    match error {
        CallError::Refused(refused) => of_refusal(refused),
        CallError::NotSent { .. } | CallError::Unknown { .. } => Outcome::NotSent { message: words(error) },
    }
}

fn of_refusal(refused: &Refused) -> Outcome {
    let class = refused.kind.class();
    let reason = match class {
        _ if refused.kind == RefusedKind::NamespaceMissing => Reason::NamespaceMissing,
        Class::Permanent => Reason::Refused,
        Class::Transient => Reason::Retrying,
        // Rights and credentials change, and startBy ends the waiting.
        Class::Operator => Reason::NeedsOperator,
    };
    let permanent = class == Class::Permanent;
    let retry_after_ms = refused.retry_after_s.map(|seconds| u64::from(seconds) * 1_000);
    Outcome::Refused { reason, message: refused.to_string(), permanent, retry_after_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallyman_cluster::{NotSent, Unknown};

    fn refused(status: u16, kind: RefusedKind) -> CallError {
        let (reason, message) = ("Reason".to_owned(), "in words".to_owned());
        CallError::Refused(Refused { status, reason, message, retry_after_s: Some(7), kind })
    }

    #[test]
    fn only_what_the_cluster_will_refuse_again_ends_a_run() {
        for (kind, status, expected) in [
            (RefusedKind::Invalid, 422, (Reason::Refused, true)),
            (RefusedKind::TooLarge, 413, (Reason::Refused, true)),
            (RefusedKind::NamespaceMissing, 404, (Reason::NamespaceMissing, false)),
            (RefusedKind::Forbidden, 403, (Reason::NeedsOperator, false)),
            (RefusedKind::Quota, 403, (Reason::Retrying, false)),
            (RefusedKind::TooMany, 429, (Reason::Retrying, false)),
            (RefusedKind::Unauthorized, 401, (Reason::NeedsOperator, false)),
            (RefusedKind::KindMissing, 404, (Reason::NeedsOperator, false)),
            (RefusedKind::Conflict, 409, (Reason::Retrying, false)),
        ] {
            match of_write(&refused(status, kind)) {
                Outcome::Refused { reason, permanent, retry_after_ms, message } => {
                    assert_eq!((reason, permanent), expected, "{kind}");
                    assert_eq!(retry_after_ms, Some(7_000));
                    assert!(message.contains("in words"), "{message}");
                }
                other => panic!("{kind}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_write_is_unknown_unless_it_is_certain() {
        let unsent = CallError::NotSent { why: NotSent::Connect, source: None };
        let lost = CallError::Unknown { why: Unknown::Deadline, answer: None, source: None };
        assert!(matches!(of_write(&unsent), Outcome::NotSent { .. }));
        assert!(matches!(of_write(&lost), Outcome::Unknown { .. }));
    }

    #[test]
    fn a_kind_that_is_not_installed_is_waited_for_and_named() {
        match of_create(&Kind::Workflow, &refused(404, RefusedKind::KindMissing)) {
            Outcome::Refused { permanent: false, message, .. } => {
                assert!(message.contains("does not serve argoproj.io/v1alpha1 Workflow"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lost_read_before_a_write_means_that_nothing_was_written() {
        let lost = CallError::Unknown { why: Unknown::Deadline, answer: None, source: None };
        assert!(matches!(of_read_before(&lost), Outcome::NotSent { .. }));
        assert!(matches!(of_read_before(&refused(403, RefusedKind::Forbidden)), Outcome::Refused { .. }));
    }
}
