//! A real data directory, damaged at random places of every kind of file: what is opened then is refused, or is the
//! truth. `TALLYMAN_DAMAGES=1000` tries that many places of each kind.

mod judge;
mod truth;

use crate::damage::copy_dir;
use crate::oracle::Numbers;
use judge::{Verdict, judge};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use truth::{Truth, in_memory};

/// How many places of each kind are damaged, unless the environment says it.
const DAMAGES: u64 = 50;

/// How many verdicts there were of each sort.
type Verdicts = BTreeMap<Verdict, u64>;

/// Damages files of a copy of the truth that end as `select` says, each time at one place, and judges what is left.
fn damage(seed: u64, select: fn(&str) -> bool, prepare: fn(&Path)) -> Verdicts {
    let truth = Truth::get();
    #[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
    let count =
        std::env::var("TALLYMAN_DAMAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(DAMAGES);
    let mut numbers = Numbers::new(seed);
    let mut verdicts = Verdicts::new();
    for round in 0..count {
        let broken = in_memory();
        copy_dir(truth.dir(), broken.path());
        prepare(broken.path());
        let files: Vec<PathBuf> = files(broken.path(), Path::new(""));
        let files: Vec<&PathBuf> = files.iter().filter(|file| select(&file.to_string_lossy())).collect();
        assert!(!files.is_empty());
        let file = files[numbers.below(files.len() as u64) as usize];
        let what = break_somewhere(&broken.path().join(file), &mut numbers);
        let verdict = judge(truth, broken.path(), &mut numbers)
            .unwrap_or_else(|wrong| panic!("{wrong}: seed {seed} round {round}: {}: {what}", file.display()));
        *verdicts.entry(verdict).or_default() += 1;
    }
    verdicts
}

fn files(dir: &Path, inside: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir.join(inside)).unwrap() {
        let entry = entry.unwrap();
        let path = inside.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(dir, &path));
        } else if entry.metadata().unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Flips a bit, cuts, zeroes or exchanges blocks. Says what was done.
fn break_somewhere(path: &Path, numbers: &mut Numbers) -> String {
    let mut bytes = fs::read(path).unwrap();
    // Files that were made longer than what is in them are damaged where something is.
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default() as u64 + 1;
    let (at, other) = (numbers.below(used) as usize, numbers.below(used) as usize);
    let block = [16, 64, 512, 4096][numbers.below(4) as usize];
    let what = match numbers.below(5) {
        0 | 1 => {
            let bit = numbers.below(8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
        2 => {
            bytes.truncate(at);
            format!("cut to {at} bytes")
        }
        3 => {
            let end = bytes.len().min(at + block);
            bytes[at..end].fill(0);
            format!("bytes {at} to {end} zeroed")
        }
        _ => {
            let (first, second) = (at.min(other), at.max(other));
            let len = block.min(second - first).min(bytes.len() - second);
            let (before, after) = bytes.split_at_mut(second);
            before[first..first + len].swap_with_slice(&mut after[..len]);
            format!("{len} bytes at {first} and {second} exchanged")
        }
    };
    fs::write(path, bytes).unwrap();
    what
}

fn as_it_is(_: &Path) {}

fn without_rows(dir: &Path) {
    fs::remove_dir_all(dir.join("inventory")).unwrap();
}

#[test]
fn the_truth_itself_is_found_whole() {
    let truth = Truth::get();
    let copy = in_memory();
    copy_dir(truth.dir(), copy.path());
    assert_eq!(judge(truth, copy.path(), &mut Numbers::new(0)).unwrap(), Verdict::Whole);
}

#[test]
fn a_damaged_log_is_refused_or_only_what_was_not_known_to_be_on_disk_is_cut() {
    let verdicts = damage(101, |file| file.ends_with(".wal"), as_it_is);
    assert!(verdicts[&Verdict::Refused] > verdicts.values().sum::<u64>() / 2, "{verdicts:?}");
}

#[test]
fn a_damaged_watermark_is_refused_unless_its_other_place_says_enough() {
    damage(102, |file| file == "watermark", as_it_is);
}

#[test]
fn a_damaged_identity_is_refused() {
    let verdicts = damage(103, |file| file == "identity", as_it_is);
    let others = verdicts.iter().filter(|(verdict, _)| **verdict != Verdict::Refused);
    // Nothing was changed where blocks of no length were exchanged.
    assert!(
        others.map(|(_, count)| count).sum::<u64>() <= 5 + verdicts[&Verdict::Refused] / 20,
        "{verdicts:?}"
    );
}

#[test]
fn a_damaged_snapshot_is_never_used() {
    damage(104, |file| file.ends_with(".snapshot"), as_it_is);
    damage(105, |file| file.ends_with(".snapshot"), without_rows);
}

#[test]
fn damaged_rows_are_made_again() {
    let verdicts = damage(106, |file| file.starts_with("inventory/0"), as_it_is);
    assert!(!verdicts.contains_key(&Verdict::Refused), "{verdicts:?}");
    damage(107, |file| file == "inventory/mark", as_it_is);
}

#[test]
fn a_damaged_change_file_starts_again() {
    let verdicts = damage(108, |file| file.starts_with("changes/"), as_it_is);
    assert!(!verdicts.contains_key(&Verdict::Refused), "{verdicts:?}");
}

#[test]
fn a_damaged_ledger_is_made_again_or_found_when_it_is_read() {
    let verdicts = damage(109, |file| file.ends_with(".jsonl"), as_it_is);
    assert!(!verdicts.contains_key(&Verdict::Refused), "{verdicts:?}");
    let verdicts = damage(110, |file| file.ends_with(".seal"), as_it_is);
    assert_eq!(verdicts.keys().collect::<Vec<_>>(), [&Verdict::Whole], "{verdicts:?}");
}
