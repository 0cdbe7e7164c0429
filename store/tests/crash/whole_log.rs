//! The log: votes, entries, truncations and purges over several files.

use crate::disk::{Mode, write_state};
use crate::oracle::Numbers;
use crate::recording::{Done, MARKS, Op, record};
use crate::{fresh, keep, recorded_here, setting};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tallyman_store::log::{Log, LogId, LogOptions, OpenError, Vote};

/// What is asked of the log, in this order.
#[derive(Clone, Debug)]
enum Step {
    Vote(Vote),
    Append(Vec<(LogId, Vec<u8>)>),
    Commit(LogId),
    TruncateAfter(LogId),
    Purge(LogId),
}

/// What the log holds after some steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    vote: Option<Vote>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, (LogId, Vec<u8>)>,
}

const STEPS: usize = 90;

fn steps() -> Vec<Step> {
    let mut numbers = Numbers::new(7);
    let (mut term, mut next, mut committed, mut purged) = (1, 0, None::<LogId>, None::<LogId>);
    let mut ids: Vec<LogId> = Vec::new();
    let mut steps = vec![Step::Vote(Vote { term: 1, voted_for: Some(1), committed: true })];
    while steps.len() < STEPS {
        let step = match numbers.below(12) {
            0 => {
                term += 1;
                Step::Vote(Vote { term, voted_for: Some(1 + term % 3), committed: numbers.below(2) == 0 })
            }
            1 if committed < ids.last().copied() => {
                committed = ids.last().copied();
                Step::Commit(committed.unwrap())
            }
            2 if ids.len() > 3 && committed < Some(ids[ids.len() - 3]) => {
                ids.truncate(ids.len() - 2);
                next -= 2;
                term += 1;
                steps.push(Step::Vote(Vote { term, voted_for: Some(2), committed: true }));
                Step::TruncateAfter(*ids.last().unwrap())
            }
            3 if committed > purged && committed.unwrap().index % 3 == 0 => {
                purged = committed;
                Step::Purge(purged.unwrap())
            }
            _ => Step::Append(
                (0..1 + numbers.below(4))
                    .map(|_| {
                        let id = LogId { term, leader: term, index: next };
                        next += 1;
                        ids.push(id);
                        (id, format!("{id} {}", "x".repeat(numbers.below(700) as usize)).into_bytes())
                    })
                    .collect(),
            ),
        };
        steps.push(step);
    }
    steps
}

/// What may be held: after each step, and within an append after each entry. And how many there are after each step.
fn all_held(steps: &[Step]) -> (Vec<Held>, Vec<usize>) {
    let (mut held, mut after) = (vec![Held::default()], Vec::new());
    for step in steps {
        let mut now = held.last().unwrap().clone();
        match step {
            Step::Vote(vote) => now.vote = Some(*vote),
            Step::Append(entries) => {
                for (id, bytes) in entries {
                    now.entries.insert(id.index, (*id, bytes.clone()));
                    held.push(now.clone());
                }
            }
            Step::Commit(_) => {}
            Step::TruncateAfter(id) => now.entries.retain(|index, _| *index <= id.index),
            Step::Purge(id) => {
                now.entries.retain(|index, _| *index > id.index);
                now.purged = Some(*id);
            }
        }
        held.push(now);
        after.push(held.len());
    }
    (held, after)
}

fn options() -> LogOptions {
    LogOptions { segment_bytes_max: 4096, watermark_interval_ms: 20, ..LogOptions::default() }
}

#[test]
#[ignore = "is run by the recording"]
fn driver() {
    let Some(dir) = recorded_here() else { return };
    let marks = Arc::new(File::options().append(true).open(dir.join(MARKS)).unwrap());
    let mark = |what: &str, i: usize| (&*marks).write_all(format!("{what} {i}").as_bytes()).unwrap();
    let mut log = Log::open(&dir, options()).unwrap();
    let mut numbers = Numbers::new(3);
    for (i, step) in steps().into_iter().enumerate() {
        mark("asked", i);
        let marks = Arc::clone(&marks);
        let durable = Box::new(move |result: std::io::Result<()>| {
            result.unwrap();
            (&*marks).write_all(format!("durable {i}").as_bytes()).unwrap();
        });
        match step {
            Step::Vote(vote) => log.save_vote_then(vote, durable).unwrap(),
            Step::Append(entries) => log.append(entries, durable).unwrap(),
            Step::Commit(id) => log.save_committed(Some(id)).unwrap(),
            Step::TruncateAfter(id) => log.truncate_after(Some(id)).unwrap(),
            Step::Purge(id) => log.purge(id).unwrap(),
        }
        if numbers.below(3) == 0 {
            log.sync().unwrap();
            mark("durable", i);
        }
        if numbers.below(25) == 0 {
            drop(log);
            log = Log::open(&dir, options()).unwrap();
        }
    }
}

/// How many steps were asked for, and how many were durable, when so many operations had ended.
fn progress(done: &[Done]) -> (usize, usize) {
    let (mut asked, mut durable) = (0, 0);
    for one in done {
        let Op::Mark { text } = &one.op else { continue };
        match text.split_once(' ').unwrap() {
            ("asked", i) => asked = asked.max(i.parse::<usize>().unwrap() + 1),
            (_, i) => durable = durable.max(i.parse::<usize>().unwrap() + 1),
        }
    }
    (asked, durable)
}

fn read(dir: &Path) -> Result<(Held, Log), OpenError> {
    let log = Log::open(dir, options())?;
    let state = log.state();
    let entries = log.read(0, u64::MAX, usize::MAX).unwrap();
    let entries = entries.into_iter().map(|(id, bytes)| (id.index, (id, bytes))).collect();
    Ok((Held { vote: state.vote, purged: state.last_purged, entries }, log))
}

#[test]
#[ignore = "needs strace: see CONTRIBUTING.md"]
fn the_log_of_every_crash_state_is_recovered_with_all_that_was_durable() {
    let Some(done) = record("whole_log::driver") else { return eprintln!("left out: there is no strace") };
    let (held, after) = all_held(&steps());
    let states = setting("CRASH_STATES", 12_000);
    let seed = setting("CRASH_SEED", std::process::id().into());
    eprintln!("{} operations, seed {seed}", done.len());
    let mut numbers = Numbers::new(seed);
    let mut lengths = BTreeMap::new();
    for state in 0..states {
        let count = 1 + numbers.below(done.len() as u64) as usize;
        let mode = [Mode::InOrder, Mode::SyncedOnly, Mode::Any, Mode::Any][numbers.below(4) as usize];
        let dir = fresh();
        write_state(&done, count, mode, &mut numbers, dir.path());
        let (asked, durable) = progress(&done[..count]);
        let least = durable.checked_sub(1).map_or(0, |last| after[last] - 1);
        let most = asked.checked_sub(1).map_or(1, |last| after[last]);
        match read(dir.path()) {
            Ok((found, log)) => {
                let fits = held[least..most].contains(&found);
                let what = format!(
                    "state {state}, {mode:?} after {count} operations, {durable} of {asked} steps durable"
                );
                assert!(fits, "{what}: {found:#?}\n{}", keep(dir));
                *lengths.entry(found.entries.len() / 10 * 10).or_insert(0) += 1;
                drop(log);
                // What was recovered is recovered for good.
                assert_eq!(read(dir.path()).unwrap().0, found, "{what}\n{}", keep(dir));
            }
            // No sector that arrived out of order is taken for damage.
            Err(error) => {
                panic!("state {state}, {mode:?} after {count} operations: {error} {error:?}\n{}", keep(dir))
            }
        }
    }
    eprintln!("log: {states} crash states, all recovered; entries held {lengths:?}");
}
