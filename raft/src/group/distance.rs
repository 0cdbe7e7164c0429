//! How far away the other replicas are, and the times that follow from it.
//!
//! openraft keeps the times that it is started with, so each replica measures before that, and runs with what fits
//! until it is started again. Replicas may thus run with different times, also over their own starts. What one grants
//! to a leader is a promise, and is kept:
//!
//! - a leader acts outside for no longer than the shortest lease that a voter grants; each says its own before it
//!   hears any heartbeat, in the welcome of the connection;
//! - a replica that starts helps nobody into the lead, itself neither, until what its last process may have promised
//!   is over.

use super::inner::{Inner, Member};
use crate::timing::{self, STRETCH_PERCENT_MAX, Timing};
use crate::transport::peers::Peer;
use crate::transport::{Lane, Request, Response};
use crate::types::Metrics;
use crate::{StartError, members};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tallyman_store::files::{DiskPath, write_whole};
use tokio::time::{Instant, timeout};

/// What a data directory keeps of it.
const FILE: &str = "stretch";
/// How often a peer is asked before a start.
const ASKED_AT_START: usize = 3;
/// How long peers are waited for before a start.
const MEASURE_MAX: Duration = Duration::from_millis(1500);
/// How often a peer is asked while a replica runs.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Round trips of a peer that are kept. The fastest of them counts: what a busy moment adds is no distance.
const KEPT: usize = 16;

/// How far the peers are, and what was made of it.
pub(crate) struct Distance {
    path: DiskPath,
    round_trips: Mutex<BTreeMap<String, VecDeque<Duration>>>,
    /// What the process before this one ran with, in per cent; `None`: there was none.
    before: Option<u64>,
    started: Instant,
    chosen: OnceLock<(u64, Timing)>,
}

impl Distance {
    /// Nothing is measured yet. A directory that `is_used` was one of a member.
    pub(crate) fn new(dir: &DiskPath, is_used: bool) -> Self {
        let path = dir.join(FILE);
        let before = is_used.then(|| read(&path));
        let (round_trips, chosen) = (Mutex::default(), OnceLock::new());
        Self { path, round_trips, before, started: Instant::now(), chosen }
    }

    /// The times that are in force.
    pub(crate) fn timing(&self) -> Option<&Timing> {
        self.chosen.get().map(|(_, timing)| timing)
    }

    /// What the times are stretched to, in per cent.
    pub(crate) fn percent(&self) -> u64 {
        self.chosen.get().map_or(100, |(percent, _)| *percent)
    }

    /// The round trip to the farthest peer, if one has answered.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let peers = self.round_trips.lock().unwrap_or_else(PoisonError::into_inner);
        peers.values().filter_map(|kept| kept.iter().min().copied()).max()
    }

    fn note(&self, address: &str, round_trip: Duration) {
        let mut peers = self.round_trips.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = peers.entry(address.to_owned()).or_default();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(round_trip);
    }

    fn keep_only(&self, addresses: &BTreeSet<String>) {
        let mut peers = self.round_trips.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|address, _| addresses.contains(address));
    }

    /// True while the times in force are long enough for the distances.
    fn fits(&self) -> bool {
        let percent = self.percent();
        self.round_trip()
            .is_none_or(|round_trip| timing::stretch_percent(round_trip) <= percent + percent / 4)
    }

    fn write(&self, percent: u64) -> io::Result<()> {
        let text = percent.to_string();
        write_whole(&self.path, format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes())).as_bytes())
    }
}

/// What the file at `path` says: the usual where there is none, the most where it is damaged.
fn read(path: &DiskPath) -> u64 {
    let text = match path.read().and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return 100,
        Err(_) => return STRETCH_PERCENT_MAX,
    };
    let found = text.trim_end().split_once(' ').and_then(|(percent, sum)| {
        let is_whole = u32::from_str_radix(sum, 16).ok()? == crc32c::crc32c(percent.as_bytes());
        percent.parse::<u64>().ok().filter(|_| is_whole)
    });
    found.unwrap_or(STRETCH_PERCENT_MAX)
}

/// Asks the others once a second, and says so when the times in force do not fit any more.
pub(crate) async fn watch(inner: Arc<Inner>) {
    let mut did_fit = true;
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        inner.measure_again().await;
        if inner.distance.chosen.get().is_none() {
            continue;
        }
        let (fits, percent) = (inner.distance.fits(), inner.distance.percent());
        if did_fit && !fits {
            let round_trip_ms = inner.distance.round_trip().map(|it| it.as_secs_f64() * 1000.0);
            tracing::warn!(
                round_trip_ms,
                stretch_percent = percent,
                "the replicas are farther apart than when this one was started, and may lose their leader; start them \
                 again one after the other: they measure anew"
            );
        }
        did_fit = fits;
    }
}

impl Inner {
    /// The times that are in force: the usual ones until this replica knows how far away the others are.
    pub(crate) fn timing(&self) -> &Timing {
        self.distance.timing().unwrap_or(&self.options.timing)
    }

    /// Measures, and chooses the times that this replica runs with from here on. To be done before anybody can take
    /// it for a member.
    pub(crate) async fn settle_timing(&self) -> Result<(), StartError> {
        let distance = &self.distance;
        if distance.chosen.get().is_some() {
            return Ok(());
        }
        let addresses = self.known_addresses();
        let asked = join_all(addresses.iter().map(|address| async {
            let peer = self.peers.get(address, None, Lane::Control);
            for _ in 0..ASKED_AT_START {
                self.measure(&peer, address).await;
            }
        }));
        // Whoever does not answer is of no help here; what was heard counts.
        let _ = timeout(MEASURE_MAX, asked).await;
        let round_trip = distance.round_trip();
        let percent = round_trip.map(timing::stretch_percent).or(distance.before).unwrap_or(100);
        // A shorter promise must not be read before the longer one is over: see `hold_back`.
        if percent > distance.before.unwrap_or(100) {
            distance
                .write(percent)
                .map_err(|source| StartError::Io { what: "its times cannot be kept", source })?;
        }
        let timing = self.options.timing.stretched(percent);
        self.peers.set_dial_deadline(Duration::from_millis(timing.dial_ms_max));
        let _ = distance.chosen.set((percent, timing));
        let round_trip_ms = round_trip.map(|it| it.as_secs_f64() * 1000.0);
        tracing::info!(round_trip_ms, stretch_percent = percent, "the times are chosen");
        Ok(())
    }

    /// Where others of the group may be: as configured, and as recorded.
    pub(crate) fn known_addresses(&self) -> Vec<String> {
        let records = self.reader.now(|view, _| members::members(view)).unwrap_or_default();
        let known = records.into_iter().map(|record| record.peer_address);
        let all: BTreeSet<String> = known.chain(self.options.peers.iter().cloned()).collect();
        all.into_iter().filter(|address| *address != self.options.advertise_peer).collect()
    }

    async fn measure_again(&self) {
        let asked: Vec<(String, Arc<Peer>)> = match self.member() {
            // On the connections on which votes are asked for: they are open when they are needed.
            Some(member) => self
                .other_voters(&member)
                .into_iter()
                .map(|(id, address)| (address.clone(), self.peers.get(&address, Some(id), Lane::Replication)))
                .collect(),
            None => self
                .known_addresses()
                .into_iter()
                .map(|address| (address.clone(), self.peers.get(&address, None, Lane::Control)))
                .collect(),
        };
        self.distance.keep_only(&asked.iter().map(|(address, _)| address.clone()).collect());
        join_all(asked.iter().map(|(address, peer)| self.measure(peer, address))).await;
    }

    /// Asks a peer something that is answered at once. Dialling is not counted.
    async fn measure(&self, peer: &Peer, address: &str) {
        let deadline = Instant::now() + MEASURE_MAX;
        let Ok(connection) = self.peers.connection(peer, deadline).await else { return };
        let asked = Instant::now();
        if let Ok(Response::Clock(_)) = connection.call(&Request::Clock, deadline).await {
            self.distance.note(address, asked.elapsed());
        }
    }

    /// How long after a quorum was heard this leader may still act: no voter helps another into the lead before that.
    pub(crate) fn granted_lease(&self, metrics: &Metrics) -> Duration {
        let voters = metrics.membership_config.membership().voter_ids();
        let granted = voters.filter_map(|id| self.who.lease_of(id));
        granted.chain([self.lease()]).min().unwrap_or_default()
    }

    /// Until when no vote is given: the process before this one may have promised that.
    fn promised_until(&self) -> Option<Instant> {
        let before = self.distance.before?;
        let lease_ms = self.options.timing.stretched(before).election_ms_max;
        Some(self.distance.started + Duration::from_millis(lease_ms))
    }

    /// True while no vote may be given.
    pub(crate) fn is_promised(&self) -> bool {
        self.promised_until().is_some_and(|until| Instant::now() < until)
    }

    /// Has a member that was just started stand for no election before it may vote.
    pub(crate) fn hold_back(self: &Arc<Self>, member: &Member) {
        let Some(until) = self.promised_until() else { return };
        // Whoever is alone has promised nobody anything.
        let is_alone = self.other_voters(member).is_empty();
        if !is_alone {
            member.raft.runtime_config().elect(false);
        }
        // Replicas that start together do not stand together.
        let timing = self.timing();
        let apart_ms = timing.election_ms_max.saturating_sub(timing.election_ms_min).max(1);
        let until = until + Duration::from_millis(self.options.env.number() % apart_ms);
        let (inner, member) = (Arc::clone(self), member.clone());
        self.spawn(async move {
            tokio::time::sleep_until(until).await;
            let (percent, before) = (inner.distance.percent(), inner.distance.before);
            if Some(percent) < before
                && let Err(error) = inner.distance.write(percent)
            {
                tracing::warn!(%error, "the times in force cannot be kept; the next start goes by the earlier ones");
            }
            member.raft.runtime_config().elect(true);
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_farthest_peer_counts_by_its_fastest_answer() {
        let (dir, ms) = (tempfile::tempdir().unwrap(), Duration::from_millis);
        let distance = Distance::new(&dir.path().into(), false);
        assert_eq!(distance.round_trip(), None);
        for (address, took) in [("near", 1), ("far", 140), ("far", 100), ("far", 900), ("near", 300)] {
            distance.note(address, ms(took));
        }
        assert_eq!(distance.round_trip(), Some(ms(100)));
        (0..KEPT).for_each(|_| distance.note("far", ms(200)));
        assert_eq!(distance.round_trip(), Some(ms(200)), "it has moved");
        assert!(!distance.fits());
        distance.keep_only(&BTreeSet::from(["near".to_owned()]));
        assert!(distance.fits());
    }

    #[test]
    fn what_a_process_ran_with_is_read_by_the_next_and_damage_makes_it_the_longest() {
        let dir = tempfile::tempdir().unwrap();
        let read = || Distance::new(&dir.path().into(), true).before;
        assert_eq!((Distance::new(&dir.path().into(), false).before, read()), (None, Some(100)));
        Distance::new(&dir.path().into(), true).write(250).unwrap();
        assert_eq!(read(), Some(250));
        let bytes = std::fs::read(dir.path().join(FILE)).unwrap();
        for bit in 0..(bytes.len() - 1) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(dir.path().join(FILE), flipped).unwrap();
            // An upper-case digit means the same.
            assert!(matches!(read(), Some(250 | STRETCH_PERCENT_MAX)), "bit {bit}");
        }
    }
}
