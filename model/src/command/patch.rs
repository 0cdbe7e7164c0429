//! Change a runnable's labels and annotations.
//!
//! Reads and writes the runnable. Refused when there is none of that name (`NotFound`), it is not at the revision
//! that was asked for (`Conflict`), or it would have too many labels (`Invalid`) or annotations (`TooLarge`).

use super::Target;
use crate::record::Record;
use crate::{Damaged, Done, Refusal, RefusalKind, Txn, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to change; `None` as a value takes the entry away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Which one.
    pub target: Target,
    /// Labels to set or take away.
    pub labels: BTreeMap<String, Option<String>>,
    /// Annotations to set or take away.
    pub annotations: BTreeMap<String, Option<String>>,
}

impl Patch {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let found = txn.runnable_named(&self.target)?;
        let mut run = match found {
            Ok(run) => run,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let before = (run.head.labels.clone(), run.head.annotations.clone());
        merge(&mut run.head.labels, &self.labels);
        merge(&mut run.head.annotations, &self.annotations);
        if (&run.head.labels, &run.head.annotations) == (&before.0, &before.1) {
            return Ok(Ok(Done::unchanged(Record::Runnable(run))));
        }
        if run.head.labels.len() > limits::LABELS_MAX {
            let message =
                format!("at most {} labels, and it would have {}", limits::LABELS_MAX, run.head.labels.len());
            return Ok(Err(Refusal::new(RefusalKind::Invalid, message)));
        }
        let bytes: usize = run.head.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > limits::ANNOTATIONS_BYTES_MAX {
            let max = limits::ANNOTATIONS_BYTES_MAX;
            let message = format!(
                "at most {max} bytes of annotations, and it would have {bytes}; keep the data elsewhere and annotate where it is"
            );
            return Ok(Err(Refusal::new(RefusalKind::TooLarge, message)));
        }
        txn.say(self.words());
        let record = txn.put(Record::Runnable(run))?;
        Ok(Ok(Done::with(txn, record)))
    }
}

impl Patch {
    /// What is changed, by key: values may be long.
    fn words(&self) -> String {
        let named = |what: &str, changes: &BTreeMap<String, Option<String>>| {
            let keys: Vec<&str> = changes.keys().map(String::as_str).collect();
            (!keys.is_empty()).then(|| format!("{what} {}", keys.join(", ")))
        };
        let parts = [named("labels", &self.labels), named("annotations", &self.annotations)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

fn merge(into: &mut BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) {
    for (key, value) in changes {
        match value {
            Some(value) => into.insert(key.clone(), value.clone()),
            None => into.remove(key),
        };
    }
}
