//! How the events of a watch are written.

use crate::listed::Listed;
use crate::status::Failure;
use crate::table;
use serde_json::{Value, json};
use tallyman_model::Revision;

/// When a reader of server-sent events that lost its connection is to come back, in ms.
const RETRY_MS: u64 = 1_000;

/// What an event says of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Added,
    Modified,
    Deleted,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Added => "ADDED",
            Kind::Modified => "MODIFIED",
            Kind::Deleted => "DELETED",
        }
    }
}

/// How a watch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Rows for people, not documents.
    pub(crate) table: bool,
    /// Server-sent events, not JSON lines.
    pub(crate) sse: bool,
}

impl Form {
    /// How many ways there are to write one change.
    pub(super) const WAYS: usize = 12;

    /// Which of them it is.
    pub(super) fn way(self, kind: Kind) -> usize {
        kind as usize * 4 + usize::from(self.table) * 2 + usize::from(self.sse)
    }

    pub(super) fn content_type(self) -> &'static str {
        if self.sse { "text/event-stream" } else { "application/json" }
    }

    /// What comes before all events.
    pub(super) fn opening(self) -> Option<String> {
        self.sse.then(|| format!("retry: {RETRY_MS}\n\n"))
    }

    /// What keeps a silent stream from being taken for a dead one, if the form has such a thing.
    pub(super) fn heartbeat(self) -> Option<&'static str> {
        self.sse.then_some(":\n\n")
    }

    /// What stands before and after the object of an event. Without an `id` it is none to go on from.
    pub(super) fn frame(
        self,
        listed: impl Into<Listed>,
        kind: Kind,
        revision: Revision,
        id: Option<Revision>,
    ) -> (Vec<u8>, Vec<u8>) {
        let kind = kind.as_str();
        let (mut before, end) = self.around(kind, id);
        before.push_str(&format!("{{\"type\":\"{kind}\",\"object\":"));
        if !self.table {
            return (before.into_bytes(), format!("}}{end}").into_bytes());
        }
        let mut table = json!({
            "kind": "Table", "apiVersion": table::API_VERSION,
            "metadata": {"resourceVersion": revision.to_string()}, "columnDefinitions": listed.into().columns(),
        })
        .to_string();
        table.pop();
        before.push_str(&format!("{table},\"rows\":["));
        (before.into_bytes(), format!("]}}}}{end}").into_bytes())
    }

    /// A bookmark: everything up to `revision` has been told.
    pub(super) fn bookmark(self, listed: &Listed, revision: Revision, ends_initial: bool) -> Vec<u8> {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if ends_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = if self.table {
            json!({"kind": "Table", "apiVersion": table::API_VERSION, "metadata": metadata,
                "columnDefinitions": listed.columns(), "rows": []})
        } else {
            json!({"kind": listed.kind(), "apiVersion": listed.api_version(), "metadata": metadata})
        };
        self.line("BOOKMARK", &object, Some(revision))
    }

    /// Why the stream ends before its time.
    pub(super) fn error(self, failure: &Failure) -> Vec<u8> {
        self.line("ERROR", &failure.document(), None)
    }

    fn line(self, kind: &str, object: &Value, id: Option<Revision>) -> Vec<u8> {
        let (before, end) = self.around(kind, id);
        let line = json!({"type": kind, "object": object});
        format!("{before}{line}{end}").into_bytes()
    }

    /// What stands before and after the line of an event.
    fn around(self, kind: &str, id: Option<Revision>) -> (String, &'static str) {
        if !self.sse {
            return (String::new(), "\n");
        }
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        (format!("{id}event: {kind}\ndata: "), "\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_place_of_its_own() {
        let mut seen = [false; Form::WAYS];
        for kind in [Kind::Added, Kind::Modified, Kind::Deleted] {
            for (table, sse) in [(false, false), (false, true), (true, false), (true, true)] {
                let way = &mut seen[Form { table, sse }.way(kind)];
                assert!(!*way);
                *way = true;
            }
        }
    }
}
