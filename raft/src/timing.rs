//! Every time and size that a group is run with.

use std::time::Duration;

/// Times and sizes of a group. All replicas of a group are given the same; those that depend on how far apart they are
/// are [`stretched`](Timing::stretched) by each for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often the leader tells the others that it leads, in ms.
    pub heartbeat_ms: u64,
    /// The shortest wait of a follower, after the leader's lease, before it stands for election, in ms.
    pub election_ms_min: u64,
    /// The longest wait of a follower before it stands for election, and the leader's lease, in ms.
    pub election_ms_max: u64,
    /// How long dialling a peer may take, in ms.
    pub dial_ms_max: u64,
    /// How long an append may take until it is on the follower's disk, in ms.
    pub append_ms_max: u64,
    /// How long a proposal may take, in ms; after that its outcome is unknown.
    pub propose_ms_max: u64,
    /// How long a proposal or a linearizable read waits for somebody to lead, in ms.
    pub leader_wait_ms_max: u64,
    /// How long handing over the leadership may take, in ms.
    pub handover_ms_max: u64,
    /// How often a blank replica looks for a group, and a leader for work on the membership, in ms.
    pub look_ms: u64,
    /// How far the leader's clock may be from its peers' median, in ms; beyond that it proposes nothing.
    pub clock_skew_ms_max: u64,
    /// How many entries a learner may be behind when it is made a voter.
    pub learner_lag_entries_max: u64,
    /// How long a voter of the preferred datacenter is fit to lead before it does, in ms; longer after each handover.
    pub prefer_steady_ms: u64,
    /// A snapshot is taken when the log has this many bytes, or as many as the last snapshot if that is more.
    pub snapshot_log_bytes_min: u64,
    /// How often the size of the log is looked at, in ms.
    pub snapshot_look_ms: u64,
    /// How many entries stay in the log behind a snapshot, for followers that are a little late.
    pub log_kept_entries: u64,
    /// Records of a full segment of the ledger.
    pub ledger_segment_records: u64,
    /// All stored rows are read again within this time, in ms, or as fast as that goes.
    pub scrub_ms: u64,
    /// How often a replica compares its state with the others', in ms.
    pub agree_ms: u64,
    /// Bytes of proposals that are in flight on the leader.
    pub in_flight_bytes_max: u64,
    /// How often the space that is left on the disk is looked at, in ms.
    pub disk_look_ms: u64,
    /// With fewer bytes left on its disk a replica is pressed.
    pub disk_free_bytes_min: u64,
    /// Bytes that are kept on the disk for when nothing else is left.
    pub disk_reserve_bytes: u64,
}

/// The most that times are stretched to, in per cent.
pub(crate) const STRETCH_PERCENT_MAX: u64 = 1000;
/// Up to this round trip times are not stretched: a heartbeat takes half of its interval.
const ROUND_TRIP_USUAL: Duration = Duration::from_millis(50);

/// What the times have to be stretched to, in per cent, where an answer of the farthest peer takes `round_trip`.
pub(crate) fn stretch_percent(round_trip: Duration) -> u64 {
    let percent = (round_trip.as_micros() * 100).div_ceil(ROUND_TRIP_USUAL.as_micros());
    u64::try_from(percent).unwrap_or(STRETCH_PERCENT_MAX).clamp(100, STRETCH_PERCENT_MAX)
}

impl Timing {
    /// How long the question of a replica whether it could win an election may cross another's, in ms: a round trip and
    /// a half, which leaves most of an election timeout to others if its own election comes to nothing.
    pub(crate) fn crossing_ms(&self) -> u64 {
        self.election_ms_min / 4
    }

    /// The same for replicas that are farther apart: what waits for answers of the others takes `percent` of its time.
    #[must_use]
    pub fn stretched(self, percent: u64) -> Self {
        let stretched = |ms: u64| ms.saturating_mul(percent) / 100;
        Self {
            heartbeat_ms: stretched(self.heartbeat_ms),
            election_ms_min: stretched(self.election_ms_min),
            election_ms_max: stretched(self.election_ms_max),
            dial_ms_max: stretched(self.dial_ms_max),
            leader_wait_ms_max: stretched(self.leader_wait_ms_max),
            handover_ms_max: stretched(self.handover_ms_max),
            ..self
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat_ms: 100,
            election_ms_min: 300,
            election_ms_max: 450,
            dial_ms_max: 1000,
            append_ms_max: 10_000,
            propose_ms_max: 10_000,
            leader_wait_ms_max: 2500,
            handover_ms_max: 3000,
            look_ms: 500,
            clock_skew_ms_max: 5000,
            learner_lag_entries_max: 1000,
            prefer_steady_ms: 10_000,
            snapshot_log_bytes_min: 256 * 1024 * 1024,
            snapshot_look_ms: 1000,
            log_kept_entries: 10_000,
            ledger_segment_records: tallyman_store::ledger::SEGMENT_RECORDS,
            scrub_ms: 25_000,
            agree_ms: 10_000,
            in_flight_bytes_max: 64 * 1024 * 1024,
            disk_look_ms: 1000,
            disk_free_bytes_min: 128 * 1024 * 1024,
            disk_reserve_bytes: 32 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_stretched_in_step_with_the_round_trip_and_never_below_or_far_above_the_usual() {
        let percents = [0, 1, 50, 51, 100, 250, 5000]
            .map(|round_trip| stretch_percent(Duration::from_millis(round_trip)));
        assert_eq!(percents, [100, 100, 100, 102, 200, 500, 1000]);
    }

    #[test]
    fn a_question_of_who_could_win_is_answered_while_it_may_cross_another_and_long_before_it_is_asked_again()
    {
        for round_trip_ms in 0..=500 {
            let timing = Timing::default().stretched(stretch_percent(Duration::from_millis(round_trip_ms)));
            assert!(timing.crossing_ms() > round_trip_ms);
            assert!(timing.crossing_ms() * 2 < timing.election_ms_min);
        }
    }

    #[test]
    fn a_heartbeat_comes_back_within_its_interval_and_one_may_be_lost_within_what_a_permit_is_good_for() {
        for round_trip_ms in 0..=500 {
            let timing = Timing::default().stretched(stretch_percent(Duration::from_millis(round_trip_ms)));
            assert!(2 * round_trip_ms <= timing.heartbeat_ms.max(100));
            // openraft looks about five times within an interval whether a heartbeat is due.
            let oldest_ms = round_trip_ms + 2 * timing.heartbeat_ms + timing.heartbeat_ms / 4;
            assert!(oldest_ms < timing.election_ms_max * 3 / 4, "{round_trip_ms}");
        }
    }
}
