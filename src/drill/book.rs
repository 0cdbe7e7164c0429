//! What a drill saw: acknowledged writes, reads with tokens, and what happened when. All times are ms since it began.

use super::promise::What;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Acknowledged writes that are noted; the load is far below it for as long as a drill may take.
pub(crate) const ACKED_MAX: usize = 500_000;
/// Reads that are noted.
pub(crate) const PROBES_MAX: usize = 100_000;

/// An acknowledged write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acked {
    /// Its idempotency key, which is a label of it too.
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The token.
    pub(crate) revision: u64,
    pub(crate) at_ms: u64,
}

/// What a read with a token showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    /// The write.
    Write,
    /// An answer without it.
    Without,
    /// That the replica did not have that revision in time.
    Late,
    /// No answer, or one that says that the replica does not serve.
    Nothing,
}

/// A read with a token on one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) replica: String,
    pub(crate) at_ms: u64,
    pub(crate) took_ms: u64,
    pub(crate) saw: Saw,
}

/// Something that was done or seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Event {
    pub(crate) at_ms: u64,
    pub(crate) text: String,
}

/// A replica that the drill keeps from serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    pub(crate) replica: String,
    pub(crate) from_ms: u64,
    /// `None`: still.
    pub(crate) to_ms: Option<u64>,
}

impl Away {
    /// True for a read that could not be answered because of it.
    fn covers(&self, probe: &Probe) -> bool {
        let is_before = self.to_ms.is_some_and(|to_ms| to_ms < probe.at_ms);
        self.replica == probe.replica && !is_before && self.from_ms <= probe.at_ms + probe.took_ms
    }
}

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// In the order in which they were acknowledged.
    pub(crate) acked: Vec<Acked>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) events: Vec<Event>,
    /// When the drill itself kept which replica from serving.
    pub(crate) away: Vec<Away>,
    /// Submissions that were begun.
    pub(crate) submitted: u64,
    /// Tries that were not acknowledged, by the answer's status; 0: none came.
    pub(crate) others: BTreeMap<u16, u64>,
    /// What the last of these said.
    pub(crate) last_words: String,
}

impl Book {
    /// Notes a try that was not acknowledged.
    pub(crate) fn refused(&mut self, status: u16, words: String) {
        *self.others.entry(status).or_default() += 1;
        self.last_words = words;
    }

    /// When writes were acknowledged.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.acked.iter().map(|acked| acked.at_ms).collect()
    }

    /// The longest that a read with a token waited on a replica that serves; `None` if none was answered.
    pub(crate) fn staleness_ms(&self) -> Option<u64> {
        let served = self.probes.iter().filter(|probe| matches!(probe.saw, Saw::Write | Saw::Late));
        let served = served.filter(|probe| !self.away.iter().any(|away| away.covers(probe)));
        served.map(|probe| probe.took_ms).max()
    }

    /// Reads with a token that did not show the write; `None` if none was answered.
    pub(crate) fn unseen(&self) -> Option<u64> {
        let count = |saw: Saw| self.probes.iter().filter(|probe| probe.saw == saw).count() as u64;
        (count(Saw::Write) + count(Saw::Without) > 0).then(|| count(Saw::Without))
    }
}

/// What came of it, as far as it could be measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// What was broken was seen to be broken.
    pub(crate) bit: bool,
    pub(crate) write_gap_ms: Option<u64>,
    pub(crate) lost: Option<u64>,
    pub(crate) twice: Option<u64>,
    pub(crate) unseen: Option<u64>,
    pub(crate) staleness_ms: Option<u64>,
    pub(crate) ready_ms: Option<u64>,
    pub(crate) astray: Option<u64>,
    pub(crate) not_prefix: Option<u64>,
    pub(crate) restored_ms: Option<u64>,
}

impl Measured {
    pub(super) fn of(&self, what: What) -> Option<u64> {
        match what {
            What::WriteGapMs => self.write_gap_ms,
            What::Lost => self.lost,
            What::Twice => self.twice,
            What::Unseen => self.unseen,
            What::StalenessMs => self.staleness_ms,
            What::ReadyMs => self.ready_ms,
            What::Astray => self.astray,
            What::NotPrefix => self.not_prefix,
            What::RestoredMs => self.restored_ms,
        }
    }
}

/// A time without an acknowledged write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Gap {
    /// The last acknowledgement before it.
    pub(crate) from_ms: u64,
    pub(crate) ms: u64,
}

/// The longest time without an acknowledgement, of those that end after `since` or have not ended at `until`. `None`
/// if nothing was acknowledged before `since`: then nobody knows when it began.
pub(crate) fn gap(times: &[u64], since_ms: u64, until_ms: u64) -> Option<Gap> {
    let before = times.iter().rposition(|at| *at <= since_ms)?;
    let window = times.get(before..).unwrap_or_default().iter().copied().filter(|at| *at <= until_ms);
    gaps(window.chain([until_ms])).into_iter().max_by_key(|gap| gap.ms)
}

/// The times between neighbours.
pub(crate) fn gaps(times: impl Iterator<Item = u64>) -> Vec<Gap> {
    let times: Vec<u64> = times.collect();
    let pairs = times.iter().zip(times.iter().skip(1));
    pairs.map(|(from, to)| Gap { from_ms: *from, ms: to.saturating_sub(*from) }).collect()
}

/// What a replica has: the UIDs by key.
pub(crate) type Found = BTreeMap<String, BTreeSet<String>>;

/// What is lost and what is there twice. A replica that could not be read is `None`: then it is not known that nothing
/// is lost.
pub(crate) fn compare(acked: &[Acked], replicas: &[Option<Found>]) -> (Option<u64>, Option<u64>) {
    let lost = |found: &Found| {
        let is_there = |acked: &&Acked| found.get(&acked.key).is_some_and(|uids| uids.contains(&acked.uid));
        acked.iter().filter(|acked| !is_there(acked)).count() as u64
    };
    let twice = |found: &Found| found.values().filter(|uids| uids.len() > 1).count() as u64;
    let worst = |count: &dyn Fn(&Found) -> u64| {
        let worst = replicas.iter().flatten().map(count).max();
        // One that is read and lacks something is enough to know that something is lost.
        worst.filter(|worst| *worst > 0 || replicas.iter().all(Option::is_some))
    };
    (worst(&lost), worst(&twice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_begins_with_the_last_write_before_the_fault_and_need_not_have_ended() {
        let times = [0, 900, 1000, 1010, 1900, 1910, 2000];
        assert_eq!(gap(&times, 1005, 2000), Some(Gap { from_ms: 1010, ms: 890 }));
        assert_eq!(gap(&times, 1950, 2000), Some(Gap { from_ms: 1910, ms: 90 }));
        assert_eq!(gap(&times, 1950, 9000), Some(Gap { from_ms: 2000, ms: 7000 }), "it goes on");
        assert_eq!(gap(&[5], 4, 9), None);
        assert_eq!(gap(&[], 4, 9), None);
    }

    fn acked(key: &str) -> Acked {
        Acked { key: key.to_owned(), uid: format!("uid of {key}"), ..Acked::default() }
    }

    fn found(all: &[(&str, &[&str])]) -> Option<Found> {
        let one = |(key, uids): &(&str, &[&str])| {
            ((*key).to_owned(), uids.iter().map(|uid| (*uid).to_owned()).collect())
        };
        Some(all.iter().map(one).collect())
    }

    #[test]
    fn what_one_replica_lacks_is_lost_and_a_second_of_one_key_is_there_twice() {
        let acked = [acked("a"), acked("b")];
        let whole = found(&[("a", &["uid of a"]), ("b", &["uid of b"]), ("never acknowledged", &["x"])]);
        assert_eq!(compare(&acked, &[whole.clone(), whole.clone()]), (Some(0), Some(0)));
        assert_eq!(compare(&acked, &[whole.clone(), found(&[("a", &["uid of a"])])]).0, Some(1));
        let other = found(&[("a", &["another"]), ("b", &["uid of b"])]);
        assert_eq!(
            compare(&acked, &[other]).0,
            Some(1),
            "one of that key is not the one that was acknowledged"
        );
        let twice = found(&[("a", &["uid of a", "another"]), ("b", &["uid of b"])]);
        assert_eq!(compare(&acked, &[whole.clone(), twice]), (Some(0), Some(1)));
    }

    #[test]
    fn nothing_is_known_of_a_replica_that_cannot_be_read_but_what_others_lack() {
        let acked = [acked("a")];
        assert_eq!(compare(&acked, &[found(&[("a", &["uid of a"])]), None]), (None, None));
        assert_eq!(compare(&acked, &[found(&[]), None]), (Some(1), None));
        assert_eq!(compare(&acked, &[]), (None, None));
    }

    #[test]
    fn a_read_that_a_frozen_replica_answers_late_is_not_stale() {
        let probe = |at_ms, took_ms| Probe { replica: "r1".to_owned(), at_ms, took_ms, saw: Saw::Write };
        let away = Away { replica: "r1".to_owned(), from_ms: 100, to_ms: Some(5000) };
        let book = |probes| Book { probes, away: vec![away.clone()], ..Book::default() };
        assert_eq!(book(vec![probe(90, 5000), probe(200, 4900), probe(10, 7)]).staleness_ms(), Some(7));
        assert_eq!(book(vec![probe(5001, 900), probe(10, 7)]).staleness_ms(), Some(900), "it serves again");
    }

    #[test]
    fn a_replica_that_does_not_serve_is_not_stale() {
        let probe = |took_ms, saw| Probe { replica: "r1".to_owned(), at_ms: 0, took_ms, saw };
        let mut book = Book { probes: vec![probe(6000, Saw::Nothing)], ..Book::default() };
        assert_eq!((book.staleness_ms(), book.unseen()), (None, None));
        book.probes.extend([probe(3, Saw::Write), probe(1, Saw::Without)]);
        assert_eq!((book.staleness_ms(), book.unseen()), (Some(3), Some(1)));
        book.probes.push(probe(5001, Saw::Late));
        assert_eq!(book.staleness_ms(), Some(5001));
    }
}
