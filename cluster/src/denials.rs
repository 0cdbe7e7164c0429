//! What of a cluster may not be read, in the cluster's words.

use crate::error::{CallError, RefusedKind};
use crate::limits::DENIALS_MAX;
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::limits::MESSAGE_BYTES_MAX;
use tallyman_model::record::Extent;
use tokio::sync::watch;

/// Between resource and namespace of what is not watched; in no extent's name.
const OF_OTHERS: &str = " of ";

/// The reads of whole kinds, in all namespaces or in one, that a cluster refuses us, for lack of a right or because it does not have the kind. Shared by
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

    /// The extents whose listing or watching is refused, as they are [called](Extent::called), sorted.
    #[must_use]
    pub fn unwatched(&self) -> Vec<String> {
        let words = self.words.borrow();
        let of_extents = words.keys().map(|(read, _)| read).filter(|read| !read.contains(OF_OTHERS));
        let mut extents: Vec<String> = of_extents.cloned().collect();
        extents.dedup();
        extents
    }

    /// Changes when the words do.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<BTreeMap<(String, &'static str), String>> {
        self.words.subscribe()
    }

    /// Nothing of that is read any more.
    pub fn forget(&self, extent: &Extent) {
        let called = extent.called();
        self.words.send_if_modified(|words| {
            let before = words.len();
            words.retain(|(read, _), _| *read != called);
            words.len() != before
        });
    }

    /// Of no other extents all is read any more.
    pub fn keep<'a>(&self, extents: impl IntoIterator<Item = &'a Extent>) {
        let called: BTreeSet<String> = extents.into_iter().map(Extent::called).collect();
        self.words.send_if_modified(|words| {
            let before = words.len();
            words.retain(|(read, _), _| read.contains(OF_OTHERS) || called.contains(read));
            words.len() != before
        });
    }

    /// Says what came of a read of all of an extent. What was not answered proves nothing.
    pub(crate) fn note<T>(&self, extent: &Extent, verb: &'static str, result: &Result<T, CallError>) {
        self.note_read(extent.called(), verb, result);
    }

    /// The same of a listing of what is not watched, in one namespace.
    pub(crate) fn note_others<T>(&self, resource: &str, namespace: &str, result: &Result<T, CallError>) {
        self.note_read(format!("{resource}{OF_OTHERS}{namespace}"), "list", result);
    }

    fn note_read<T>(&self, read: String, verb: &'static str, result: &Result<T, CallError>) {
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
            let read = (read, verb);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::classify;
    use tallyman_model::record::Kind;

    #[test]
    fn a_refused_read_is_told_until_one_is_answered() {
        let (denials, jobs) = (Denials::default(), Extent::everywhere(Kind::Job));
        let mut changes = denials.changes();
        let body = br#"{"kind":"Status","reason":"Forbidden","message":"cannot watch jobs"}"#;
        let refused: Result<(), _> = Err(classify(403, None, body));
        denials.note(&jobs, "watch", &refused);
        denials.note(&jobs, "list", &Ok(()));
        assert_eq!(denials.words(), "the cluster answered 403 Forbidden: cannot watch jobs");
        assert!(changes.has_changed().is_ok_and(|changed| changed));
        denials.note_others("pods", "risk", &refused);
        assert_eq!(denials.unwatched(), ["jobs"], "Pods are looked at, not watched");
        denials.note_others::<()>("pods", "risk", &Ok(()));
        changes.mark_unchanged();
        denials.note(&jobs, "watch", &refused);
        denials.note::<()>(&jobs, "watch", &Err(classify(500, None, b"")));
        assert!(changes.has_changed().is_ok_and(|changed| !changed), "nothing new");
        denials.note(&jobs, "watch", &Ok(()));
        assert_eq!(denials.words(), "");
        denials.note(&jobs, "watch", &refused);
        let in_risk = Extent { namespace: "risk".to_owned(), ..jobs.clone() };
        denials.note(&in_risk, "list", &refused);
        assert_eq!(denials.unwatched(), ["jobs", "jobs in risk"]);
        denials.note_others("pods", "risk", &refused);
        denials.keep([&jobs]);
        assert_eq!((denials.unwatched(), denials.words().split("; ").count()), (vec!["jobs".to_owned()], 2));
        denials.note_others::<()>("pods", "risk", &Ok(()));
        denials.forget(&jobs);
        assert_eq!(denials.words(), "");
    }
}
