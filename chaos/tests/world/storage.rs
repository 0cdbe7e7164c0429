//! The log on a disk that loses, refuses and rots: whatever was called back is there afterwards, in the order of the
//! calls and with nothing else, or the replica is out of service.

use crate::disk::{Counts, SimulatedDisk};
use crate::for_each_seed;
use crate::numbers::Numbers;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tallyman_store::files::DiskPath;
use tallyman_store::log::{Log, LogError, LogId, LogOptions, LogState, OpenError, Vote};

const LIVES: u64 = 8;
const CALLS: u64 = 60;

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Held {
    state: LogState,
    entries: BTreeMap<u64, (LogId, Vec<u8>)>,
}

impl Held {
    fn of(log: &Log) -> Self {
        let entries = log.read(0, u64::MAX, usize::MAX).unwrap();
        Self {
            state: log.state(),
            entries: entries.into_iter().map(|entry| (entry.0.index, entry)).collect(),
        }
    }

    /// The length of each entry, for messages.
    fn sizes(&self) -> Vec<(u64, usize)> {
        self.entries.values().map(|(id, bytes)| (id.index, bytes.len())).collect()
    }

    fn term(&self) -> u64 {
        self.state.vote.map_or(1, |vote| vote.term)
    }
}

struct Replica {
    numbers: Numbers,
    disk: SimulatedDisk,
    dir: DiskPath,
    /// What the log held after each call since it was opened; the first one is what it was opened with.
    history: Vec<Held>,
    /// The last of them that was called back.
    acknowledged: Arc<Mutex<usize>>,
}

impl Replica {
    fn new(seed: u64) -> Self {
        let mut numbers = Numbers::new(seed);
        let disk = SimulatedDisk::with("/data", numbers.fork());
        let dir = DiskPath::on(Arc::new(disk.clone()), "/data");
        Self { numbers, disk, dir, history: vec![Held::default()], acknowledged: Arc::default() }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.numbers.below(bound)
    }

    fn open(&mut self) -> Result<Log, OpenError> {
        let segment_bytes_max = [600, 5000, 1 << 20][usize::try_from(self.below(3)).unwrap()];
        let cache_bytes_max = [0, 3000, 1 << 20][usize::try_from(self.below(3)).unwrap()];
        let on_due = Some(Arc::new(|| {}) as Arc<dyn Fn() + Send + Sync>);
        Log::open(
            &self.dir,
            LogOptions { segment_bytes_max, cache_bytes_max, on_due, ..LogOptions::default() },
        )
    }

    /// Opens the log, however often the disk keeps it from that; never is it taken for damaged.
    fn start(&mut self) -> Log {
        loop {
            match self.open() {
                Ok(log) => return log,
                Err(error) => assert!(!error.is_damage(), "{error}"),
            }
            self.disk.fail_once_in(0);
            self.disk.limit(u64::MAX);
            if self.disk.is_off() {
                self.disk.power_cycle();
            }
        }
    }

    /// Whatever was called back is there, in the order of the calls; what was not may be.
    fn compare(&mut self, log: &Log) {
        let (held, acknowledged) = (Held::of(log), *self.acknowledged.lock().unwrap());
        let is_it = self.history[acknowledged..].contains(&held);
        let (sizes, states) = (held.sizes(), self.history.iter().map(|held| (held.state, held.sizes())));
        assert!(
            is_it,
            "after call {acknowledged} of {:#?} it is {:#?}",
            states.collect::<Vec<_>>(),
            (held.state, sizes)
        );
        self.history = vec![held];
        *self.acknowledged.lock().unwrap() = 0;
    }

    fn now(&self) -> Held {
        self.history.last().unwrap().clone()
    }

    /// Remembers what the log holds after a call; gives what is to be called back with that.
    fn called(&mut self, held: Held) -> Box<dyn FnOnce(std::io::Result<()>) + Send> {
        self.history.push(held);
        let (acknowledged, number) = (Arc::clone(&self.acknowledged), self.history.len() - 1);
        Box::new(move |result| {
            if result.is_ok() {
                *acknowledged.lock().unwrap() = number;
            }
        })
    }

    fn append(&mut self, log: &Log) {
        let (first, term) = (self.now().state.last.map_or(1, |last| last.index + 1), self.now().term());
        let (mut appended, mut on_durable) = (Vec::new(), None);
        for index in first..=first + self.below(5) {
            let length = [20, 400, 3000, 9000][usize::try_from(self.below(4)).unwrap()];
            let bytes = vec![self.below(256) as u8; usize::try_from(self.below(length)).unwrap()];
            appended.push((LogId { term, leader: 1, index }, bytes));
            // Each entry is there or not by itself, but none without those before it.
            let mut held = self.now();
            held.state.last = appended.last().map(|(id, _)| *id);
            held.entries.extend(appended.last().map(|entry| (index, entry.clone())));
            on_durable = Some(self.called(held));
        }
        let _ = log.append(appended, on_durable.unwrap());
    }

    fn vote(&mut self, log: &Log) {
        let mut held = self.now();
        let vote = Vote { term: held.term() + self.below(2), voted_for: Some(1), committed: true };
        held.state.vote = Some(vote);
        let on_durable = self.called(held);
        let _ = log.save_vote_then(vote, on_durable);
    }

    fn commit(&mut self, log: &Log) {
        let mut held = self.now();
        let open: Vec<LogId> = held.entries.values().map(|(id, _)| *id).collect();
        let open: Vec<LogId> = open.into_iter().filter(|id| Some(*id) > held.state.committed).collect();
        if let Some(id) = self.one_of(&open) {
            held.state.committed = Some(id);
            drop(self.called(held));
            let _ = log.save_committed(Some(id));
        }
    }

    /// Never below what is committed. What comes instead is of a later term.
    fn truncate(&mut self, log: &Log) {
        let mut held = self.now();
        let least = held.state.committed.max(held.state.last_purged);
        let kept: Vec<LogId> =
            held.entries.values().map(|(id, _)| *id).filter(|id| Some(*id) >= least).collect();
        let Some(last) = self.one_of(&kept) else { return };
        held.entries.retain(|_, (id, _)| *id <= last);
        held.state.last = Some(last);
        drop(self.called(held));
        let _ = log.truncate_after(Some(last));
        let mut held = self.now();
        let vote = Vote { term: held.term() + 1, voted_for: Some(1), committed: true };
        held.state.vote = Some(vote);
        let on_durable = self.called(held);
        let _ = log.save_vote_then(vote, on_durable);
    }

    /// What is purged is committed.
    fn purge(&mut self, log: &Log) {
        let mut held = self.now();
        let done: Vec<LogId> = held.entries.values().map(|(id, _)| *id).collect();
        let done: Vec<LogId> = done.into_iter().filter(|id| Some(*id) <= held.state.committed).collect();
        let Some(upto) = self.one_of(&done) else { return };
        held.state.last_purged = Some(upto);
        held.entries.retain(|index, _| *index > upto.index);
        drop(self.called(held));
        let _ = log.purge(upto);
    }

    fn one_of(&mut self, all: &[LogId]) -> Option<LogId> {
        let count = all.len() as u64;
        (count > 0).then(|| all[usize::try_from(self.below(count)).unwrap()])
    }

    /// Some calls, flushed now and then, until the power goes or the disk fails, or all were made.
    fn live(&mut self, log: &Log) {
        for _ in 0..self.below(CALLS) {
            match self.below(10) {
                0..5 => self.append(log),
                5 => self.vote(log),
                6 | 7 => self.commit(log),
                8 => self.truncate(log),
                _ => self.purge(log),
            }
            if self.below(3) == 0 {
                let with_watermark = self.below(4) == 0;
                log.flush_now(with_watermark);
            }
            if log.append(Vec::new(), Box::new(|_| {})).is_err() {
                return;
            }
        }
    }
}

/// A replica that is opened again and again, after power cuts, kills and failed writes.
fn lives(seed: u64) -> Counts {
    let mut replica = Replica::new(seed);
    for _ in 0..LIVES {
        match replica.below(4) {
            0 => replica.disk.cut_power_after(replica.numbers.below(40)),
            1 => replica.disk.fail_once_in(2 + replica.numbers.below(30)),
            2 => replica.disk.limit(20_000 + replica.numbers.below(2_000_000)),
            _ => {}
        }
        let log = replica.start();
        replica.compare(&log);
        replica.live(&log);
        drop(log);
        replica.disk.fail_once_in(0);
        replica.disk.limit(u64::MAX);
        if replica.disk.is_off() || replica.numbers.once_in(2) {
            replica.disk.power_cycle();
        } else {
            replica.disk.kill();
        }
    }
    let log = replica.start();
    replica.compare(&log);
    replica.disk.counts()
}

#[test]
fn what_was_called_back_survives_power_cuts_kills_and_failed_writes() {
    let total = Mutex::new(Counts::default());
    for_each_seed(300, |seed| {
        let counts = lives(seed);
        let mut total = total.lock().unwrap();
        total.sectors_lost += counts.sectors_lost;
        total.names_lost += counts.names_lost;
        total.failures += counts.failures;
        total.refused_full += counts.refused_full;
    });
    let total = total.into_inner().unwrap();
    let bit = [total.sectors_lost, total.names_lost, total.failures, total.refused_full];
    assert!(crate::setting("WORLD_SEED").is_some() || !bit.contains(&0), "faults that never were: {total:?}");
}

#[test]
fn one_seed_decides_all() {
    for_each_seed(20, |seed| assert_eq!(lives(seed), lives(seed)));
}

#[test]
fn what_cannot_be_read_is_no_damage_and_nothing_is_cut_or_made_up_for_it() {
    let failed = Mutex::new(0);
    for_each_seed(200, |seed| {
        let mut replica = Replica::new(seed);
        let log = replica.start();
        replica.live(&log);
        drop(log);
        let held = Held::of(&replica.start());
        for _ in 0..4 {
            replica.disk.fail_reads_once_in(1 + replica.numbers.below(8));
            match replica.open() {
                Ok(log) => match log.read(0, u64::MAX, usize::MAX) {
                    Ok(read) => assert!(read.iter().eq(held.entries.values())),
                    Err(error) => assert!(matches!(error, LogError::Read { .. }), "{error}"),
                },
                Err(error) => assert!(!error.is_damage(), "{error}"),
            }
            replica.disk.fail_reads_once_in(0);
            assert_eq!(Held::of(&replica.open().unwrap()), held);
        }
        *failed.lock().unwrap() += replica.disk.counts().failed_reads;
    });
    assert!(crate::setting("WORLD_SEED").is_some() || failed.into_inner().unwrap() > 0);
}

#[test]
fn a_flipped_bit_below_the_watermark_is_found_or_changes_nothing() {
    let found = Mutex::new(0);
    for_each_seed(300, |seed| {
        let mut replica = Replica::new(seed);
        let log = replica.open().unwrap();
        replica.live(&log);
        log.flush_now(true);
        let held = Held::of(&log);
        drop(log);
        replica.disk.rot(["wal", "watermark"][usize::from(replica.numbers.once_in(4))]).unwrap();
        match replica.open() {
            Ok(log) => assert_eq!(Held::of(&log), held),
            Err(OpenError::Damaged { .. }) => *found.lock().unwrap() += 1,
            Err(error) => panic!("{error}"),
        }
    });
    assert!(crate::setting("WORLD_SEED").is_some() || found.into_inner().unwrap() > 0);
}
