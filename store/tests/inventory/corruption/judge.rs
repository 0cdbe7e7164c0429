//! What becomes of a data directory when it is opened and read.

use super::truth::{ENTRIES, KNOWN, PURGED, Truth, inventory_options, log_options};
use crate::oracle::{self, Numbers, Oracle, id};
use std::panic::catch_unwind;
use std::path::Path;
use tallyman_model::{Entry, Revision};
use tallyman_store::codec::{self, Kind};
use tallyman_store::identity::Home;
use tallyman_store::snapshot::SnapshotReader;
use tallyman_store::{Inventory, Log, LogId, Reader, log, snapshot};

/// What was made of it. Anything else is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// All is there, whatever had to be made again.
    Whole,
    /// The end of the log, which was not known to be on disk, was cut.
    Cut,
    /// Found when it was read: it was not served.
    Found,
    /// Not opened, with an error that says that it is damage.
    Refused,
}

macro_rules! ensure {
    ($is:expr, $($words:tt)+) => {
        if !$is {
            return Err(format!($($words)+));
        }
    };
}

/// Opens `dir` as a replica does, and reads everything.
pub(super) fn judge(truth: &Truth, dir: &Path, numbers: &mut Numbers) -> Result<Verdict, String> {
    let home = match Home::open(dir) {
        Ok(home) => home,
        Err(error) => return refused(error.is_damage(), &error),
    };
    home.check_data().map_err(|error| error.to_string())?;
    ensure!(home.identity().group == Some([7; 16]), "another group");
    ensure!(home.identity().replica == Some(3), "another replica");
    let log = match Log::open(dir, log_options()) {
        Ok(log) => log,
        Err(error) => return refused(error.is_damage(), &error),
    };
    let (last, found) = match judge_log(truth, &log) {
        Ok(last) => last,
        // Reading the log fails the replica, before anything is served.
        Err(error) if error.starts_with("found") => return Ok(Verdict::Found),
        Err(error) => return Err(error),
    };
    let purged = log.state().last_purged;
    let open = || catch_unwind(|| Inventory::open(inventory_options(dir, purged)));
    // A process that dies while sled opens is started again.
    let opened = open().or_else(|_| open());
    let mut inventory = match opened.map_err(|_| "it dies each time it is opened".to_owned())? {
        Ok(inventory) => inventory,
        Err(error) => return refused(error.is_damage(), &error),
    };
    let applied = inventory.applied().last.map_or(0, |id| id.index);
    // sled may be ahead of a log that was cut: both are then at what the inventory has.
    let last = last.max(applied);
    let rest: Vec<_> = found.into_iter().filter(|(id, _)| id.index > applied).collect();
    inventory.apply(oracle::to_apply(&rest)).map_err(|error| format!("replay: {error}"))?;
    let oracle = (last != ENTRIES).then(|| Oracle::of(&truth.entries[..last as usize]));
    let oracle = oracle.as_ref().unwrap_or(&truth.oracle);
    let reader = inventory.reader();
    judge_rows(truth, oracle, &reader, last)?;
    let is_found = [
        judge_ledger(oracle, &reader, numbers)?,
        judge_changes(oracle, &reader, numbers)?,
        judge_snapshots(truth, dir)?,
    ];
    drop((reader, inventory, log, home));
    if numbers.below(10) == 0 {
        reopened(truth, dir, oracle, last)?;
    }
    Ok(match is_found.contains(&true) {
        true => Verdict::Found,
        false if last < ENTRIES => Verdict::Cut,
        false => Verdict::Whole,
    })
}

fn refused(is_damage: bool, error: &dyn std::error::Error) -> Result<Verdict, String> {
    ensure!(is_damage, "refused, but not as damage: {error}");
    Ok(Verdict::Refused)
}

/// Gives the last entry of the log, and those that can be applied.
fn judge_log(truth: &Truth, log: &Log) -> Result<(u64, Vec<(LogId, Entry)>), String> {
    let state: log::LogState = log.state();
    let last = state.last.map_or(0, |id| id.index);
    ensure!((KNOWN..=ENTRIES).contains(&last), "the log ends at {last}");
    ensure!(state.last == Some(id(last)), "the last entry is {:?}", state.last);
    ensure!(state.vote == Some(truth.vote), "the vote is {:?}", state.vote);
    ensure!(state.committed <= Some(id(last)), "committed is {:?}", state.committed);
    let purged = state.last_purged.map(|id| id.index);
    ensure!(purged.is_none() || purged == Some(PURGED), "purged up to {purged:?}");
    let read = log.read(0, u64::MAX, usize::MAX).map_err(|error| format!("found: {error}"))?;
    let first = purged.map_or(0, |purged| purged + 1);
    ensure!(read.len() as u64 == last + 1 - first, "{} entries from {first} to {last}", read.len());
    let mut found = Vec::new();
    for ((found_id, content), index) in read.iter().zip(first..) {
        ensure!(*found_id == id(index) && *content == truth.content(index), "entry {index} is another one");
        if index > 0 {
            found.push((
                *found_id,
                codec::decode(Kind::LogContent, content).map_err(|error| error.to_string())?,
            ));
        }
    }
    Ok((last, found))
}

fn judge_rows(truth: &Truth, oracle: &Oracle, reader: &Reader, last: u64) -> Result<(), String> {
    ensure!(reader.applied_index() == last, "{} is applied of {last}", reader.applied_index());
    ensure!(last != ENTRIES || reader.state_hash() == truth.state_hash, "another state hash");
    let same = reader.now(|view, revision| {
        revision == oracle.revision && oracle::all_but_meta(view) == oracle::all_but_meta(&oracle.view)
    });
    ensure!(same, "other rows");
    Ok(())
}

/// True when damage is found.
fn judge_ledger(oracle: &Oracle, reader: &Reader, numbers: &mut Numbers) -> Result<bool, String> {
    let truth = oracle.ledger.last().map(|(seq, _, hash)| (*seq, *hash)).unwrap_or_default();
    ensure!(reader.ledger_head() == truth, "another head of the ledger");
    let verified = reader.verify_ledger();
    ensure!(verified.as_ref().map_or(true, |head| *head == truth), "the ledger verifies as another one");
    let all = reader.ledger(1, usize::MAX);
    ensure!(all.as_ref().map_or(true, |all| *all == oracle.ledger), "another ledger is read");
    ensure!(all.is_ok() == verified.is_ok(), "the ledger reads otherwise than it verifies");
    for _ in 0..8 {
        let from = numbers.below(oracle.ledger.len() as u64);
        let Ok(some) = reader.ledger(from + 1, 3) else { continue };
        let expected: Vec<_> = oracle.ledger.iter().skip(from as usize).take(3).cloned().collect();
        ensure!(some == expected, "other records of the ledger are read from {} on", from + 1);
    }
    Ok(verified.is_err())
}

fn judge_changes(oracle: &Oracle, reader: &Reader, numbers: &mut Numbers) -> Result<bool, String> {
    let (floor, revision) = (reader.floor(), reader.revision());
    let Ok(changes) = reader.changes(floor, usize::MAX) else { return Ok(true) };
    let expected = floor.0 + 1..=revision.0;
    ensure!(changes.iter().map(|change| change.revision.0).eq(expected), "changes are missing or doubled");
    let asked = Revision(floor.0 + numbers.below(revision.0 - floor.0 + 1));
    if let (Ok(rows), Some(expected)) =
        (reader.at(asked, oracle::all_but_meta), oracle.at_revision.get(&asked))
    {
        ensure!(rows == *expected, "revision {asked} reads as another one");
    }
    Ok(false)
}

fn judge_snapshots(truth: &Truth, dir: &Path) -> Result<bool, String> {
    let latest = snapshot::latest(dir.join("snapshots")).map_err(|error| error.to_string())?;
    let Some(latest) = latest else { return Ok(true) };
    let name = latest.path.name().unwrap_or_default().to_owned();
    let Ok(verified) = SnapshotReader::open(&latest.path).and_then(SnapshotReader::verify) else {
        return Ok(true);
    };
    let bytes = verified.path.read().map_err(|error| error.to_string())?;
    ensure!(truth.snapshots.get(&name) == Some(&bytes), "a damaged snapshot verifies");
    Ok(truth.snapshots.keys().next_back() != Some(&name))
}

/// What was made again is there after the next start too.
fn reopened(truth: &Truth, dir: &Path, oracle: &Oracle, last: u64) -> Result<(), String> {
    let _home = Home::open(dir).map_err(|error| format!("opened again: {error}"))?;
    let log = Log::open(dir, log_options()).map_err(|error| format!("opened again: {error}"))?;
    let purged = log.state().last_purged;
    let inventory = catch_unwind(|| Inventory::open(inventory_options(dir, purged)));
    let inventory = inventory.map_err(|_| "it dies when it is opened again".to_owned())?;
    let inventory = inventory.map_err(|error| format!("opened again: {error}"))?;
    judge_rows(truth, oracle, &inventory.reader(), last)
}
