//! What this replica knows of its disk, and what the leader does about full and slow ones.
//!
//! | what is left | what happens |
//! |---|---|
//! | less than `disk_free_bytes_min` | the replica is *pressed*: it says so, and takes no snapshot that may not fit |
//! | a leader that is pressed | hands over to a voter that is not |
//! | no quorum of voters that have space, or the leader has none | new submissions are refused; all else goes on |
//! | less than [`FULL_BYTES`] | half of the reserve is given up, for what goes on |
//! | nothing, and a write failed | the process ends; the next one gives up the rest before it opens anything |
//!
//! A leader whose flushes have been slow for [`SLOW_FOR`] hands over too, if a voter's are [`FASTER_TIMES`] as fast.
//!
//! One replica without space does not stop the group, as one that is lost does not: entries reach it until it cannot
//! write any more. A group of which a quorum could not write any more would stop, so it stops growing before.

use super::inner::{Inner, Member};
use crate::transport::{Request, Response};
use crate::types::{heard_within, matched};
use crate::{GroupOptions, StartError};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tallyman_store::files::DiskPath;
use tallyman_store::inventory::DiskCheck;
use tallyman_store::reserve::Reserve;
use tokio::time::Instant;

/// How often the rows' files are asked whether a write of theirs has failed. It is remembered until somebody asks.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// With less than that, the reserve is given up: one half while the replica runs, the other before it starts.
const FULL_BYTES: u64 = 8 * MIB;
/// A voter that was not heard for that long is not counted as one that can write.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// Between two tries to hand over.
const HAND_OVER_AGAIN: Duration = Duration::from_secs(5);
/// A leader's flushes are slow from that on.
const SLOW_FLUSH_MS: u64 = 80;
/// How long they are slow before it hands over.
const SLOW_FOR: Duration = Duration::from_secs(3);
/// How many times faster a voter's flushes are than the slow leader's for it to take over.
const FASTER_TIMES: u64 = 4;
const MIB: u64 = 1024 * 1024;

/// What a replica says of its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskReport {
    /// Bytes that can still be written beside the reserve.
    pub available_bytes: u64,
    /// Bytes of the reserve.
    pub reserve_bytes: u64,
    /// Too little is left.
    pub is_pressed: bool,
    /// How long a flush of the log takes at the moment, in ms; `None`: there was none lately.
    pub flush_ms: Option<u64>,
}

impl DiskReport {
    fn is_fit_to_lead(&self) -> bool {
        !self.is_pressed && self.flush_ms.is_none_or(|ms| ms < SLOW_FLUSH_MS)
    }
}

/// What is known of disks: this replica's, and while it leads the others'.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    own: Mutex<DiskReport>,
    others: Mutex<BTreeMap<u64, DiskReport>>,
    refusing: Mutex<Option<String>>,
    handed_over: Mutex<Option<Instant>>,
    /// Since when the flushes have been slow while this replica led, and in which term.
    slow: Mutex<Option<(u64, Instant)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// The space, as it was looked at last.
    fn report(&self) -> DiskReport {
        *lock(&self.own)
    }

    /// Whether the disk of another replica is one to lead with, as far as it was asked.
    pub(crate) fn is_fit_to_lead(&self, other: u64) -> bool {
        lock(&self.others).get(&other).is_none_or(DiskReport::is_fit_to_lead)
    }

    /// Why new submissions are refused, if this replica leads.
    pub(crate) fn refusing(&self) -> Option<String> {
        lock(&self.refusing).clone()
    }
}

/// Waits until there is space to open the directory, and gives up the reserve for it. A replica that ended because
/// its disk was full would otherwise be started in vain, again and again.
pub(crate) async fn wait_for_room(options: &GroupOptions) -> Result<(), StartError> {
    let io = |source| StartError::Io { what: "its disk cannot be looked at", source };
    options.dir.make_dir().map_err(io)?;
    let reserve = Reserve::of(&options.dir, options.timing.disk_reserve_bytes);
    let dir = options.dir.display();
    let mut is_said = false;
    while reserve.available().map_err(io)? < FULL_BYTES {
        if reserve.held() > 0 {
            tracing::warn!(%dir, bytes = reserve.held(), "the disk is full: the reserve is given up to start");
            reserve.release().map_err(io)?;
            continue;
        }
        if !is_said {
            tracing::error!(%dir, bytes_min = FULL_BYTES, "the disk is full: waiting for space before anything is opened");
            is_said = true;
        }
        tokio::time::sleep(Duration::from_millis(options.timing.disk_look_ms)).await;
    }
    Ok(())
}

/// Looks at the space that is left, gives up the reserve and makes it again, until the replica stops.
pub(crate) async fn watch_space(inner: Arc<Inner>) {
    let look = Duration::from_millis(inner.options.timing.disk_look_ms);
    loop {
        let watching = Arc::clone(&inner);
        // It may wait for the disk. Tracked: the directory is not left before this has ended.
        match inner.tasks.spawn_blocking(move || watching.look_at_space()).await {
            Ok(Err(error)) => tracing::warn!(%error, "the space that is left cannot be looked at"),
            Ok(Ok(())) => {}
            Err(_) => return,
        }
        tokio::time::sleep(look).await;
    }
}

/// Ends the replica when a write or sync of the rows' files has failed that no call has met.
pub(crate) async fn check_rows(inner: Arc<Inner>, rows: DiskCheck) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let rows = rows.clone();
        if let Ok(Err(error)) = inner.tasks.spawn_blocking(move || rows.check()).await {
            return inner.fatal.set(&format!("the inventory cannot be written: {error}"));
        }
    }
}

impl Inner {
    fn look_at_space(&self) -> std::io::Result<()> {
        let timing = self.timing();
        let reserve = Reserve::of(&self.options.dir, timing.disk_reserve_bytes);
        let mut available_bytes = reserve.available()?;
        let was_pressed = self.disk.report().is_pressed;
        let is_pressed = is_pressed(was_pressed, available_bytes, timing.disk_free_bytes_min);
        if !is_pressed
            && available_bytes >= relief(timing.disk_free_bytes_min).saturating_add(reserve.missing())
        {
            reserve.hold()?;
        } else if available_bytes < FULL_BYTES && reserve.missing() < timing.disk_reserve_bytes / 2 {
            tracing::error!(available_bytes, "the disk is full: half of the reserve is given up");
            reserve.release_half()?;
        }
        if is_pressed != was_pressed {
            say(&self.options.dir, is_pressed, available_bytes, timing.disk_free_bytes_min);
        }
        available_bytes = reserve.available()?;
        let (reserve_bytes, flush_ms) = (reserve.held(), None);
        *lock(&self.disk.own) = DiskReport { available_bytes, reserve_bytes, is_pressed, flush_ms };
        Ok(())
    }

    /// What this replica says of its disk.
    pub(crate) fn disk_report(&self) -> DiskReport {
        let recent = self.with_open(|open| open.log.log().flush_times().recent).flatten();
        let flush_ms = recent.map(|recent| u64::try_from(recent.as_millis()).unwrap_or(u64::MAX));
        DiskReport { flush_ms, ..self.disk.report() }
    }

    /// True when the flushes of this leader have been slow for long enough.
    fn is_slow(&self, term: u64, flush_ms: Option<u64>) -> bool {
        let mut slow = lock(&self.disk.slow);
        if flush_ms.is_none_or(|ms| ms < SLOW_FLUSH_MS) {
            *slow = None;
            return false;
        }
        let since = slow.take_if(|(known, _)| *known == term).unwrap_or_else(|| (term, Instant::now()));
        *slow = Some(since);
        since.1.elapsed() >= SLOW_FOR
    }

    /// True if a snapshot of `bytes` may be begun: one that fills the disk would end the replica.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        let report = self.disk.report();
        !report.is_pressed || report.available_bytes > bytes.saturating_add(FULL_BYTES)
    }

    /// Asks the other voters for their disks, and concludes whether submissions are taken and who should lead.
    pub(crate) async fn compare_disks(&self, member: &Member) {
        let others = self.other_voters(member);
        let asked = others.iter().map(async |(id, address)| {
            let wait = Duration::from_millis(self.timing().dial_ms_max);
            match self.ask(address, Some(*id), &Request::Disk, wait).await {
                Ok(Response::Disk(report)) => Some((*id, report)),
                _ => None,
            }
        });
        let answers = join_all(asked).await;
        lock(&self.disk.others).extend(answers.into_iter().flatten());
        let voters = self.judged(member);
        let why = refusal(&voters, self.options.timing.disk_free_bytes_min);
        let is_new = why.is_some() != lock(&self.disk.refusing).is_some();
        lock(&self.disk.refusing).clone_from(&why);
        match why {
            Some(why) if is_new => tracing::warn!(why, "new submissions are refused"),
            None if is_new => tracing::info!("new submissions are taken again"),
            _ => {}
        }
        let own = voters.first().and_then(|own| own.report).unwrap_or_default();
        let is_slow = self.is_slow(member.metrics().current_term, own.flush_ms);
        if let Some(to) = better_leader(&voters, is_slow) {
            self.leave_to(member, to).await;
        }
    }

    async fn leave_to(&self, member: &Member, to: u64) {
        let is_due = lock(&self.disk.handed_over).is_none_or(|at| at.elapsed() >= HAND_OVER_AGAIN);
        if !is_due {
            return;
        }
        *lock(&self.disk.handed_over) = Some(Instant::now());
        tracing::warn!(to, "this replica's disk is not fit to lead with: handing over");
        if let Err(error) = self.transfer_here(member, Some(to)).await {
            tracing::warn!(to, %error, "did not hand over");
        }
    }

    /// All voters, this replica first.
    fn judged(&self, member: &Member) -> Vec<Voter> {
        let metrics = member.metrics();
        let last = metrics.last_log_index.unwrap_or(0);
        let reports = lock(&self.disk.others).clone();
        let own = Voter { id: member.id, report: Some(self.disk_report()), is_heard: true, is_near: true };
        let others = self.other_voters(member).into_iter().map(|(id, _)| Voter {
            id,
            report: reports.get(&id).copied(),
            is_heard: heard_within(&metrics, id, HEARD_WITHIN),
            is_near: matched(&metrics, id).is_some_and(|matched| {
                last.saturating_sub(matched.index) <= self.options.timing.learner_lag_entries_max
            }),
        });
        [own].into_iter().chain(others).collect()
    }
}

/// A voter, as the leader knows it.
#[derive(Clone, Copy, Debug)]
struct Voter {
    id: u64,
    report: Option<DiskReport>,
    is_heard: bool,
    /// It has nearly all of the log.
    is_near: bool,
}

impl Voter {
    fn is_pressed(&self) -> bool {
        self.report.is_some_and(|report| report.is_pressed)
    }
}

/// From where on a replica that was pressed is so no more.
fn relief(free_bytes_min: u64) -> u64 {
    free_bytes_min.saturating_add(free_bytes_min / 2)
}

fn is_pressed(was_pressed: bool, available_bytes: u64, free_bytes_min: u64) -> bool {
    available_bytes < if was_pressed { relief(free_bytes_min) } else { free_bytes_min }
}

fn say(dir: &DiskPath, is_pressed: bool, available_bytes: u64, free_bytes_min: u64) {
    let dir = dir.display();
    if is_pressed {
        tracing::warn!(%dir, available_bytes, free_bytes_min, "little space is left on the disk");
    } else {
        tracing::info!(%dir, available_bytes, "there is space on the disk again");
    }
}

/// Why nothing new is to be taken, if so. The leader, which is first, has no space itself; or so many have none, or
/// are away, that a quorum of those that have some is wanting.
fn refusal(voters: &[Voter], free_bytes_min: u64) -> Option<String> {
    let short: Vec<&Voter> = voters.iter().filter(|voter| voter.is_pressed()).collect();
    let fit = voters.iter().filter(|voter| voter.is_heard && !voter.is_pressed()).count();
    let leader_is_short = voters.first().is_some_and(Voter::is_pressed);
    if short.is_empty() || (!leader_is_short && fit > voters.len() / 2) {
        return None;
    }
    let each = short.iter().map(|voter| {
        format!("r{} has {} MiB left", voter.id, voter.report.unwrap_or_default().available_bytes / MIB)
    });
    let each: Vec<String> = each.collect();
    Some(format!(
        "disks are full: {}, of {} MiB that are to stay free",
        each.join(", "),
        free_bytes_min / MIB
    ))
}

/// Who should lead instead of the first one, if somebody should: who can write, and of those the one whose flushes
/// are the shortest. A slow one is left only for one that is so much faster that the other cannot find the same of it.
fn better_leader(voters: &[Voter], is_slow: bool) -> Option<u64> {
    let (leader, others) = voters.split_first()?;
    let flush_ms = |voter: &Voter| voter.report.and_then(|report| report.flush_ms);
    let can_write =
        |voter: &&Voter| voter.is_heard && voter.is_near && voter.report.is_some() && !voter.is_pressed();
    let is_faster = |voter: &&Voter| match (flush_ms(voter), flush_ms(leader)) {
        (Some(theirs), Some(own)) => theirs.saturating_mul(FASTER_TIMES) <= own,
        _ => false,
    };
    let fit =
        others.iter().filter(can_write).filter(|voter| leader.is_pressed() || (is_slow && is_faster(voter)));
    fit.min_by_key(|voter| flush_ms(voter).unwrap_or(u64::MAX)).map(|voter| voter.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(id: u64, available_mib: u64) -> Voter {
        let available_bytes = available_mib * MIB;
        let report =
            DiskReport { available_bytes, reserve_bytes: 0, is_pressed: available_mib < 100, flush_ms: None };
        Voter { id, report: Some(report), is_heard: true, is_near: true }
    }

    fn refused(voters: &[Voter]) -> bool {
        refusal(voters, 100 * MIB).is_some()
    }

    #[test]
    fn submissions_are_refused_when_no_quorum_has_space_or_the_leader_has_none() {
        let (fit, short) = (|id| voter(id, 500), |id| voter(id, 5));
        assert!(!refused(&[fit(1), fit(2), fit(3)]));
        assert!(!refused(&[fit(1), fit(2), short(3)]));
        assert!(refused(&[fit(1), short(2), short(3)]));
        assert!(refused(&[short(1), fit(2), fit(3)]));
        assert!(refused(&[short(1)]));
        let away = Voter { is_heard: false, ..fit(2) };
        assert!(refused(&[fit(1), away, short(3)]), "who is away cannot write either");
        assert!(!refused(&[fit(1), away, away]), "that there is no quorum is not for disks to say");
        let words = refusal(&[fit(1), short(2), short(3)], 100 * MIB);
        let expected =
            "disks are full: r2 has 5 MiB left, r3 has 5 MiB left, of 100 MiB that are to stay free";
        assert_eq!(words.as_deref(), Some(expected));
    }

    #[test]
    fn a_leader_without_space_leaves_to_one_that_has_some_and_nearly_all_of_the_log() {
        assert_eq!(better_leader(&[voter(1, 5), voter(2, 5), voter(3, 500)], false), Some(3));
        assert_eq!(better_leader(&[voter(1, 500), voter(2, 500)], false), None);
        assert_eq!(better_leader(&[voter(1, 5), voter(2, 5)], false), None);
        for unfit in [
            Voter { is_heard: false, ..voter(2, 500) },
            Voter { is_near: false, ..voter(2, 500) },
            Voter { report: None, ..voter(2, 500) },
        ] {
            assert_eq!(better_leader(&[voter(1, 5), unfit], false), None, "{unfit:?}");
        }
    }

    fn flushing(id: u64, flush_ms: u64) -> Voter {
        let report = DiskReport { flush_ms: Some(flush_ms), ..DiskReport::default() };
        Voter { report: Some(report), ..voter(id, 500) }
    }

    #[test]
    fn a_slow_leader_leaves_to_the_fastest_and_two_slow_ones_do_not_play_ping_pong() {
        let (slow, fast) = (|id| flushing(id, 400), |id| flushing(id, 3));
        assert_eq!(better_leader(&[slow(1), flushing(2, 9), fast(3)], true), Some(3));
        assert_eq!(
            better_leader(&[slow(1), flushing(2, 9), fast(3)], false),
            None,
            "not for a moment's slowness"
        );
        assert_eq!(better_leader(&[slow(1), slow(2), flushing(3, 150)], true), None);
        assert_eq!(better_leader(&[slow(1), voter(2, 500)], true), None, "nothing is known of its flushes");
        for (one, other) in [(80, 80), (80, 319), (400, 5000), (5000, 81)] {
            let leaves = |from, to| better_leader(&[flushing(1, from), flushing(2, to)], true).is_some();
            assert!(!(leaves(one, other) && leaves(other, one)), "{one} and {other}");
        }
    }

    #[test]
    fn leadership_is_not_moved_to_a_replica_that_would_hand_it_over_again() {
        let disk = Disk::default();
        assert!(disk.is_fit_to_lead(2), "nothing is known of it");
        for (voter, is_fit) in
            [(voter(2, 5), false), (voter(2, 500), true), (flushing(2, 80), false), (flushing(2, 79), true)]
        {
            lock(&disk.others).extend(voter.report.map(|report| (2, report)));
            assert_eq!(disk.is_fit_to_lead(2), is_fit, "{voter:?}");
        }
    }

    #[test]
    fn who_was_pressed_is_so_until_there_is_half_as_much_again() {
        assert!(is_pressed(false, 99, 100) && !is_pressed(false, 100, 100));
        assert!(is_pressed(true, 149, 100) && !is_pressed(true, 150, 100));
    }
}
