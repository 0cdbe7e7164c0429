//! The log beside a model of it: random calls, reads and reopenings. `LOG_MODEL_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic")]

#[path = "inventory/oracle.rs"]
#[allow(dead_code, reason = "the other test uses the rest")]
mod oracle;

use oracle::Numbers;
use std::collections::BTreeMap;
use std::fs;
use tallyman_store::log::{Log, LogId, LogOptions, LogState, Vote};
use tempfile::TempDir;

const RUNS: u64 = 40;
const STEPS: u64 = 150;

/// Where there is one, a directory that needs no disk.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

struct Run {
    numbers: Numbers,
    dir: TempDir,
    log: Option<Log>,
    state: LogState,
    entries: BTreeMap<u64, (LogId, Vec<u8>)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let (numbers, dir) = (Numbers::new(seed), in_memory());
        let mut run = Self { numbers, dir, log: None, state: LogState::default(), entries: BTreeMap::new() };
        run.reopen();
        run
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.numbers.below(bound)
    }

    fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        drop(self.log.take());
        let segment_bytes_max = [512, 4096, 300_000][self.below(3) as usize];
        let cache_bytes_max = [0, 3000, 1 << 20][self.below(3) as usize];
        let options = LogOptions { segment_bytes_max, cache_bytes_max, ..LogOptions::default() };
        self.log = Some(Log::open(self.dir.path(), options).unwrap());
    }

    fn term(&self) -> u64 {
        self.state.vote.map_or(1, |vote| vote.term)
    }

    fn append(&mut self) {
        let (term, count) = (self.term(), 1 + self.below(6));
        let first = self.state.last.map_or_else(|| self.numbers.below(3), |last| last.index + 1);
        let mut appended = Vec::new();
        for index in first..first + count {
            let length = [10, 200, 3000, 9000][self.below(4) as usize];
            let byte = self.below(256) as u8;
            appended.push((LogId { term, leader: 1, index }, vec![byte; self.below(length) as usize]));
        }
        self.state.last = appended.last().map(|(id, _)| *id);
        self.entries.extend(appended.iter().map(|entry| (entry.0.index, entry.clone())));
        self.log().append(appended, Box::new(|result| result.unwrap())).unwrap();
    }

    fn vote(&mut self) {
        let vote = Vote { term: self.term() + self.below(2), voted_for: Some(1), committed: true };
        self.state.vote = Some(vote);
        self.log().save_vote_then(vote, Box::new(|result| result.unwrap())).unwrap();
    }

    fn commit(&mut self) {
        let open: Vec<LogId> =
            self.entries.values().map(|(id, _)| *id).filter(|id| Some(*id) > self.state.committed).collect();
        if !open.is_empty() {
            let id = open[self.below(open.len() as u64) as usize];
            self.state.committed = Some(id);
            self.log().save_committed(Some(id)).unwrap();
        }
    }

    /// Never below what is committed, to an entry that is held or the last one that is not.
    fn truncate(&mut self) {
        let least = self.state.committed.max(self.state.last_purged);
        let held = self.entries.values().map(|(id, _)| Some(*id));
        let keep: Vec<_> = held.chain([self.state.last_purged]).filter(|id| *id >= least).collect();
        if keep.is_empty() {
            return;
        }
        let last = keep[self.below(keep.len() as u64) as usize];
        self.entries.retain(|_, (id, _)| Some(*id) <= last);
        self.state.last = last;
        self.log().truncate_after(last).unwrap();
        // What comes instead is of a later term.
        let vote = Vote { term: self.term() + 1, voted_for: Some(1), committed: true };
        self.state.vote = Some(vote);
        self.log().save_vote_then(vote, Box::new(|result| result.unwrap())).unwrap();
    }

    fn purge(&mut self) {
        let beyond = self.below(8) == 0;
        let upto = match self.state.last {
            Some(last) if beyond => LogId { index: last.index + 5, ..last },
            _ => match self.entries.values().next() {
                Some((first, _)) => {
                    let index = first.index + self.below(self.entries.len() as u64);
                    self.entries[&index].0
                }
                None => return,
            },
        };
        self.state.last_purged = Some(upto);
        self.entries.retain(|index, _| *index > upto.index);
        if self.entries.is_empty() {
            self.state.last = Some(upto);
        }
        self.log().purge(upto).unwrap();
    }

    fn compare(&mut self) {
        let state = self.log().state();
        assert_eq!(state, self.state);
        let bytes: u64 = self.entries.values().map(|(_, bytes)| bytes.len() as u64).sum();
        assert_eq!(self.log().bytes(), bytes);
        let first = self.entries.keys().next().copied().unwrap_or_default();
        let (from, to) = (first + self.below(30), first + self.below(60));
        let bytes_max = self.below(20_000) as usize;
        let read = self.log().read(from, to, bytes_max).unwrap();
        let mut left = bytes_max;
        let mut expected = Vec::new();
        for (_, (id, bytes)) in self.entries.range(from..to.max(from)) {
            if bytes.len() > left && !expected.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes.len());
            expected.push((*id, bytes.clone()));
        }
        assert_eq!(read, expected);
    }

    fn step(&mut self) {
        match self.below(20) {
            0 | 1 => self.vote(),
            2..=4 => self.commit(),
            5 => self.truncate(),
            6 | 7 => self.purge(),
            8 | 9 => self.reopen(),
            10 | 11 => self.log().sync().unwrap(),
            _ => self.append(),
        }
        self.compare();
    }

    /// All that is held is in the files, and nothing is kept that could go.
    fn finish(mut self) {
        self.reopen();
        self.compare();
        let all = self.log().read(0, u64::MAX, usize::MAX).unwrap();
        assert_eq!(all, self.entries.values().cloned().collect::<Vec<_>>());
        if let Some(last) = self.state.last {
            self.log().purge(LogId { index: last.index + 10_000, ..last }).unwrap();
            self.log().sync().unwrap();
            assert_eq!(fs::read_dir(self.dir.path().join("log")).unwrap().count(), 1);
        }
    }
}

#[test]
fn the_log_holds_what_a_model_of_it_holds_after_any_calls_and_reopenings() {
    #[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
    let fixed = std::env::var("LOG_MODEL_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seed = fixed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("LOG_MODEL_SEED={seed}");
    for run in 0..RUNS {
        let mut run = Run::new(seed.wrapping_mul(RUNS) + run);
        (0..STEPS).for_each(|_| run.step());
        run.finish();
    }
}
