//! What of a cluster may not be read, in the cluster's words.

use crate::error::{CallError, RefusedKind};
use crate::limits::DENIALS_MAX;
use std::collections::BTreeMap;
use tallyman_model::limits::MESSAGE_BYTES_MAX;
use tallyman_model::record::Kind;
use tokio::sync::watch;

/// The reads of whole kinds that a cluster refuses us, for lack of a right or because it does not have the kind. Shared by
/// all that call it.
///
/// Whose right is missing is told by the refusal; that it is back by the next such read that is answered.
#[derive(Clone, Debug, Default)]
pub struct Denials {
    words: watch::Sender<BTreeMap<(String, &'static str), String>>,
}

impl Denials {
    /// All of it in one sentence of at most [`MESSAGE_BYTES_MAX`]; empty when nothing is refused.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = self.words.borrow().values().map(String::as_str).collect::<Vec<_>>().join("; ");
        words.truncate(words.floor_char_boundary(MESSAGE_BYTES_MAX));
        words
    }

    /// The kinds whose listing or watching is refused, as [`resource`] calls them, sorted.
    #[must_use]
    pub fn unwatched(&self) -> Vec<String> {
        let words = self.words.borrow();
        let of_kinds = words.keys().map(|(resource, _)| resource).filter(|resource| !resource.contains(' '));
        let mut kinds: Vec<String> = of_kinds.cloned().collect();
        kinds.dedup();
        kinds
    }

    /// Changes when the words do.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<BTreeMap<(String, &'static str), String>> {
        self.words.subscribe()
    }

    /// Nothing of that kind is read any more.
    pub fn forget(&self, kind: &Kind) {
        let resource = resource(kind);
        self.words.send_if_modified(|words| {
            let before = words.len();
            words.retain(|(of, _), _| of != resource);
            words.len() != before
        });
    }

    /// Says what came of a read of a resource, wherever that is. What was not answered proves nothing.
    pub(crate) fn note<T>(&self, resource: &str, verb: &'static str, result: &Result<T, CallError>) {
        let denied = match result {
            Ok(_) => None,
            Err(CallError::Refused(refused))
                if matches!(
                    refused.kind,
                    RefusedKind::Forbidden | RefusedKind::Unauthorized | RefusedKind::KindMissing
                ) =>
            {
                Some(refused.to_string())
            }
            Err(_) => return,
        };
        self.words.send_if_modified(|words| {
            let read = (resource.to_owned(), verb);
            let before = words.get(&read).cloned();
            let changed = before != denied;
            match denied {
                Some(denied) if before.is_some() || words.len() < DENIALS_MAX => words.insert(read, denied),
                Some(_) => return false,
                None => words.remove(&read),
            };
            changed
        });
    }
}

/// What reads of a whole kind are told as reads of.
pub(crate) fn resource(kind: &Kind) -> &str {
    kind.plural().unwrap_or(kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::classify;

    #[test]
    fn a_refused_read_is_told_until_one_is_answered() {
        let denials = Denials::default();
        let mut changes = denials.changes();
        let body = br#"{"kind":"Status","reason":"Forbidden","message":"cannot watch jobs"}"#;
        let refused: Result<(), _> = Err(classify(403, None, body));
        denials.note("jobs", "watch", &refused);
        denials.note("jobs", "list", &Ok(()));
        assert_eq!(denials.words(), "the cluster answered 403 Forbidden: cannot watch jobs");
        assert!(changes.has_changed().is_ok_and(|changed| changed));
        denials.note("pods of risk", "list", &refused);
        assert_eq!(denials.unwatched(), ["jobs"], "Pods are looked at, not watched");
        denials.note("pods of risk", "list", &Ok(()));
        changes.mark_unchanged();
        denials.note("jobs", "watch", &refused);
        denials.note::<()>("jobs", "watch", &Err(classify(500, None, b"")));
        assert!(changes.has_changed().is_ok_and(|changed| !changed), "nothing new");
        denials.note("jobs", "watch", &Ok(()));
        assert_eq!(denials.words(), "");
        denials.note("jobs", "watch", &refused);
        denials.forget(&Kind::Job);
        assert_eq!(denials.words(), "");
    }
}
