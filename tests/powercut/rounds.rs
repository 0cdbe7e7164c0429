//! Rounds of power cuts under load.

use crate::check::{lost, same_books};
use crate::dev::{signal, until};
use crate::group::Group;
use crate::history::Choices;
use crate::machine::{cut, impossible};
use crate::writers::{Book, Writers};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What goes on beside a power cut.
const PAUSED: &str = "one beside a paused one";
const CUT_OFF: &str = "one beside one that is cut off";
/// Rounds after which a new group begins: young logs are cut as well as long ones.
const ROUNDS_PER_GROUP: u64 = 10;
/// The longest that writers write before the cut.
const WRITE_MS_MAX: u64 = 900;
/// The longest that a replica recovers before power is lost once more.
const RECOVER_MS_MAX: u64 = 400;

#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

#[derive(Default)]
struct Told {
    kinds: BTreeMap<&'static str, u64>,
    acknowledged: u64,
    unknown: u64,
    checked: u64,
    records: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and loop devices: see CONTRIBUTING.md"]
async fn no_acknowledged_write_is_lost_by_power_cuts_of_one_two_or_all_replicas() {
    if let Some(why) = impossible().await {
        eprintln!("left out: no machine can be made here: {why}");
        return;
    }
    let rounds = setting("POWERCUT_ROUNDS", 20);
    let seed = setting("POWERCUT_SEED", std::process::id().into());
    let mut choices = Choices::seeded(seed);
    let (begun, mut told) = (Instant::now(), Told::default());
    let mut round = 0;
    while round < rounds {
        let dir = tempfile::tempdir().unwrap();
        let options = ["commit=300", "commit=5", "commit=1,data=writeback"][choices.below(3) as usize];
        let mut group = Group::start(dir.path(), options, Vec::new()).await;
        let book = Arc::new(Book::default());
        for _ in 0..ROUNDS_PER_GROUP.min(rounds - round) {
            round += 1;
            let kind = one_round(&mut group, &book, round, seed, &mut choices).await;
            *told.kinds.entry(kind).or_default() += 1;
            let lost = lost(&group, &book).await;
            assert!(lost.is_empty(), "round {round}, {options}, seed {seed}: lost {}: {lost:#?}", lost.len());
            told.checked += book.runs.lock().unwrap().len() as u64;
            let records = same_books(&group).await;
            let acknowledged = book.acknowledged.load(Ordering::SeqCst);
            eprintln!(
                "{:6.1} s  round {round}, {options}: {kind}; {acknowledged} acknowledged, {records} in the ledger",
                begun.elapsed().as_secs_f32()
            );
        }
        told.acknowledged += book.acknowledged.load(Ordering::SeqCst);
        told.unknown += book.unknown.load(Ordering::SeqCst);
        told.records += same_books(&group).await;
    }
    eprintln!(
        "powercut: {rounds} rounds in {:.0} s {:?}, {} writes acknowledged, {} unknown, 0 lost; {} runs looked up \
         on each of three replicas, {} ledger records verified; seed {seed}",
        begun.elapsed().as_secs_f32(),
        told.kinds,
        told.acknowledged,
        told.unknown,
        told.checked,
        told.records
    );
}

/// Power is cut under load and comes back, and writes are acknowledged again. What kind of round it was.
async fn one_round(
    group: &mut Group,
    book: &Arc<Book>,
    round: u64,
    seed: u64,
    choices: &mut Choices,
) -> &'static str {
    let writers = Writers::start(group, book, round, seed);
    writers.progress(1).await;
    // The moment of the cut is random on purpose; nothing is waited for here.
    sleep(Duration::from_millis(choices.below(WRITE_MS_MAX))).await;
    let order = shuffled(choices);
    let (kind, victims, other) = match choices.below(7) {
        0 | 1 => ("one", &order[..1], None),
        2 => ("two", &order[..2], None),
        3 => (PAUSED, &order[..1], Some(order[1])),
        4 => (CUT_OFF, &order[..1], Some(order[1])),
        _ => ("all", &order[..], None),
    };
    match other {
        Some(off) if kind == CUT_OFF => cut_off(group, off, &writers, choices).await,
        Some(paused) => signal(group.machines[paused].pid(), Signal::STOP),
        None => {}
    }
    cut_all(group, victims).await;
    if kind == "one" {
        // A quorum is left.
        writers.progress(1 + choices.below(50)).await;
    }
    for i in victims {
        group.start_one(*i).await;
    }
    if choices.below(3) == 0 {
        sleep(Duration::from_millis(choices.below(RECOVER_MS_MAX))).await;
        cut_all(group, victims).await;
        for i in victims {
            group.start_one(*i).await;
        }
    }
    if let Some(other) = other {
        writers.progress(1).await;
        match kind {
            CUT_OFF => group.wires.heal(),
            _ => signal(group.machines[other].pid(), Signal::CONT),
        }
    }
    group.until_ready().await;
    writers.progress(1 + choices.below(20)).await;
    writers.finish().await;
    kind
}

/// Cuts a replica off from its peers, and lets it notice, or takes the other's power before anybody does.
async fn cut_off(group: &Group, off: usize, writers: &Writers, choices: &mut Choices) {
    group.wires.cut_off(off);
    if choices.below(2) == 0 {
        let url = &group.urls[off];
        until("who is cut off is not ready", async || (!group.is_ready(url).await).then_some(())).await;
        writers.progress(1 + choices.below(20)).await;
    }
}

async fn cut_all(group: &mut Group, victims: &[usize]) {
    let mut machines: Vec<_> = group.machines.iter_mut().enumerate().collect();
    machines.retain(|(i, _)| victims.contains(i));
    let mut machines: Vec<_> = machines.into_iter().map(|(_, machine)| machine).collect();
    cut(&mut machines).await;
}

fn shuffled(choices: &mut Choices) -> [usize; 3] {
    let mut order = [0, 1, 2];
    order.swap(0, choices.below(3) as usize);
    order.swap(1, 1 + choices.below(2) as usize);
    order
}
