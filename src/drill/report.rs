//! The report of a drill: what was promised, what was measured, and the series that it was measured from.

use super::book::{Book, Event, Gap, Saw, gaps};
use super::promise::{Judged, Kept};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How acknowledged writes are counted over time.
const BUCKET_MS: u64 = 100;
/// Times without an acknowledged write that are told, the longest ones.
const GAPS_MAX: usize = 20;
/// The version of this form.
const FORM: u32 = 1;

/// A whole report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Report {
    /// The version of this form.
    pub(crate) form: u32,
    /// The version of the program that made it.
    pub(crate) made_by: String,
    pub(crate) scenario: String,
    pub(crate) group: Of,
    /// When it began.
    pub(crate) at: String,
    pub(crate) took_ms: u64,
    /// The namespace of what was submitted.
    pub(crate) namespace: String,
    pub(crate) replicas: Vec<Replica>,
    /// What was done and seen.
    pub(crate) events: Vec<Event>,
    /// Why what was measured proves nothing; empty if the fault was seen to bite.
    pub(crate) did_not_bite: String,
    pub(crate) promises: Vec<Judged>,
    pub(crate) kept: Kept,
    pub(crate) writes: Writes,
    pub(crate) reads: Vec<Reads>,
}

/// The group that was drilled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Of {
    pub(crate) name: String,
    pub(crate) id: String,
    /// It is a `tallyman dev`.
    pub(crate) is_dev: bool,
}

/// One of its replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Replica {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) datacenter: String,
}

/// Submissions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Writes {
    pub(crate) submitted: u64,
    pub(crate) acknowledged: u64,
    /// Tries that were not acknowledged, and so repeated under their key, by the answer's status; 0: no answer.
    pub(crate) repeated: BTreeMap<u16, u64>,
    pub(crate) bucket_ms: u64,
    /// How many were acknowledged in each bucket.
    pub(crate) acknowledged_in: Vec<u64>,
    /// The longest times without one, longest first.
    pub(crate) gaps: Vec<Gap>,
}

/// Reads with the newest token on one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Reads {
    pub(crate) replica: String,
    /// When each began, and how long it waited for its answer, in ms; `None`: it got none that counts.
    pub(crate) waited: Vec<(u64, Option<u64>)>,
}

/// What is known before anything is measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) scenario: String,
    pub(crate) group: Of,
    pub(crate) at: String,
    pub(crate) namespace: String,
    pub(crate) replicas: Vec<Replica>,
}

impl Report {
    /// The report of what is in the book.
    pub(crate) fn of(
        head: Head,
        book: &Book,
        took_ms: u64,
        did_not_bite: String,
        judged: Vec<Judged>,
    ) -> Self {
        let Head { scenario, group, at, namespace, replicas } = head;
        let reads = replicas.iter().map(|replica| reads(&replica.id, book)).collect();
        Self {
            form: FORM,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            scenario,
            group,
            at,
            took_ms,
            namespace,
            replicas,
            events: book.events.clone(),
            did_not_bite,
            kept: super::promise::together(&judged),
            promises: judged,
            writes: writes(book, took_ms),
            reads,
        }
    }
}

fn writes(book: &Book, took_ms: u64) -> Writes {
    let times = book.times();
    let mut acknowledged_in = vec![0; usize::try_from(took_ms / BUCKET_MS + 1).unwrap_or_default()];
    for at in &times {
        let bucket = usize::try_from(at / BUCKET_MS).unwrap_or(usize::MAX);
        acknowledged_in.get_mut(bucket).into_iter().for_each(|count| *count += 1);
    }
    let mut longest = gaps(times.iter().copied());
    longest.sort_by_key(|gap| (std::cmp::Reverse(gap.ms), gap.from_ms));
    longest.truncate(GAPS_MAX);
    Writes {
        submitted: book.submitted,
        acknowledged: times.len() as u64,
        repeated: book.others.clone(),
        bucket_ms: BUCKET_MS,
        acknowledged_in,
        gaps: longest,
    }
}

fn reads(replica: &str, book: &Book) -> Reads {
    let of = book.probes.iter().filter(|probe| probe.replica == replica);
    let waited = of.map(|probe| {
        let counts = matches!(probe.saw, Saw::Write | Saw::Late);
        (probe.at_ms, counts.then_some(probe.took_ms))
    });
    Reads { replica: replica.to_owned(), waited: waited.collect() }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::drill::book::{Acked, Measured, Probe};
    use crate::drill::promise::{Promise, What, judge};

    /// A report of a drill whose leader was away from 300 to 1,100 ms.
    pub(crate) fn example() -> Report {
        let acked = |at_ms| Acked { at_ms, ..Acked::default() };
        let probe = |at_ms, took_ms, saw| Probe { replica: "r2".to_owned(), at_ms, took_ms, saw };
        let book = Book {
            acked: [0, 100, 200, 299, 1100, 1150, 1250].map(acked).to_vec(),
            probes: vec![probe(10, 3, Saw::Write), probe(310, 900, Saw::Nothing), probe(1210, 4, Saw::Write)],
            events: vec![Event { at_ms: 300, text: "killed r1 <the leader>".to_owned() }],
            submitted: 7,
            others: [(503, 2)].into(),
            ..Book::default()
        };
        let head = Head {
            scenario: "leader-loss".to_owned(),
            group: Of { name: "dev".to_owned(), id: "0af0".to_owned(), is_dev: true },
            at: "2026-11-22T13:00:00Z".to_owned(),
            namespace: "drill-0af0".to_owned(),
            replicas: ["r1", "r2"].map(|id| Replica { id: id.to_owned(), ..Replica::default() }).to_vec(),
        };
        let measured = Measured { bit: true, write_gap_ms: Some(801), lost: Some(0), ..Measured::default() };
        let promises = [Promise { what: What::WriteGapMs, max: 2500 }, Promise { what: What::Lost, max: 0 }];
        Report::of(head, &book, 1300, String::new(), judge(&promises, &measured))
    }

    #[test]
    fn the_series_of_a_report_say_what_happened() {
        let report = example();
        assert_eq!(report.writes.acknowledged_in, [1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0]);
        assert_eq!(report.writes.gaps[0], Gap { from_ms: 299, ms: 801 });
        assert_eq!(report.reads[1].waited, [(10, Some(3)), (310, None), (1210, Some(4))]);
        assert_eq!(report.kept, Kept::True);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
