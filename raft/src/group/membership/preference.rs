//! When the leader moves to the preferred datacenter: not before a voter there was fit to lead for a while, and later
//! each time, so that one that comes and goes does not take the leadership with it.

use super::step::View;
use std::collections::BTreeMap;
use std::time::Duration;
use tallyman_model::record::{Member, MemberState};
use tokio::time::Instant;

/// How often the wait is doubled at most.
const DOUBLINGS_MAX: u32 = 6;
/// After a handover that lasted this long, the wait is as short as at first.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// What a leader remembers of those who could lead instead. A new one begins anew.
#[derive(Debug, Default)]
pub(super) struct Preference {
    term: u64,
    /// Since when each of them is fit to lead, as far as was looked.
    fit_since: BTreeMap<u64, Instant>,
    handovers: u32,
    last: Option<Instant>,
}

impl Preference {
    /// Who is to lead instead of this leader, if anybody. `steady` is how long one is fit before, at first.
    pub(super) fn target(
        &mut self,
        now: Instant,
        steady: Duration,
        members: &[Member],
        preferred: &str,
        view: &View,
    ) -> Option<u64> {
        if self.term != view.term {
            self.fit_since.clear();
            self.term = view.term;
        }
        let leads_there = |member: &Member| member.id.0 == view.leader && member.datacenter == preferred;
        if preferred.is_empty() || members.iter().any(leads_there) {
            self.fit_since.clear();
            return None;
        }
        let is_fit = |id: &u64| {
            let record = members.iter().find(|member| member.id.0 == *id);
            let is_there = record
                .is_some_and(|member| member.datacenter == preferred && member.state == MemberState::Voter);
            is_there && view.has_caught_up(*id)
        };
        let fit: Vec<u64> = view.voters.iter().copied().filter(is_fit).collect();
        self.fit_since.retain(|id, _| fit.contains(id));
        for id in fit {
            self.fit_since.entry(id).or_insert(now);
        }
        if self.last.is_some_and(|last| now - last >= FORGOTTEN_AFTER) {
            self.handovers = 0;
        }
        let wait = steady * 2_u32.pow(self.handovers.min(DOUBLINGS_MAX));
        let target = *self.fit_since.iter().find(|(_, since)| now - **since >= wait)?.0;
        self.handovers += 1;
        self.last = Some(now);
        self.fit_since.clear();
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{member, view};
    use super::*;

    const STEADY: Duration = Duration::from_secs(10);

    struct Leader {
        now: Instant,
        preference: Preference,
        members: Vec<Member>,
    }

    impl Leader {
        /// r1 leads in `a`; r2 and r3 are in `b` and `c`.
        fn new() -> Self {
            let voter = |id: u64, place: &str| Member {
                datacenter: place.to_owned(),
                ..member(id, place, MemberState::Voter)
            };
            let members = vec![voter(1, "a"), voter(2, "b"), voter(3, "c")];
            Self { now: Instant::now(), preference: Preference::default(), members }
        }

        fn after(&mut self, seconds: u64, preferred: &str, caught_up: &[u64]) -> Option<u64> {
            self.now += Duration::from_secs(seconds);
            let view = view(&[1, 2, 3], &[], caught_up);
            self.preference.target(self.now, STEADY, &self.members, preferred, &view)
        }
    }

    #[test]
    fn it_moves_once_a_voter_there_was_fit_to_lead_for_a_while() {
        let mut leader = Leader::new();
        assert_eq!(leader.after(0, "c", &[1, 2, 3]), None);
        assert_eq!(leader.after(9, "c", &[1, 2, 3]), None);
        assert_eq!(leader.after(1, "c", &[1, 2, 3]), Some(3));
    }

    #[test]
    fn it_stays_where_it_is_without_a_preference_and_in_the_preferred_datacenter() {
        for preferred in ["", "a", "nowhere"] {
            let mut leader = Leader::new();
            leader.after(0, preferred, &[1, 2, 3]);
            assert_eq!(leader.after(3600, preferred, &[1, 2, 3]), None, "{preferred:?}");
        }
    }

    #[test]
    fn one_that_comes_and_goes_is_waited_for_anew_and_longer_after_each_handover() {
        let mut leader = Leader::new();
        leader.after(0, "c", &[1, 2, 3]);
        assert_eq!(leader.after(9, "c", &[1, 2]), None, "it does not answer");
        assert_eq!(leader.after(1, "c", &[1, 2, 3]), None);
        assert_eq!(leader.after(10, "c", &[1, 2, 3]), Some(3));
        // It did not last, or did not come about.
        leader.preference.term = 7;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let begun = leader.now;
            leader.after(0, "c", &[1, 2, 3]);
            while leader.after(10, "c", &[1, 2, 3]).is_none() {}
            waits.push((leader.now - begun).as_secs());
        }
        assert_eq!(waits, [20, 40, 80, 160, 320, 640, 640, 640]);
        leader.after(3600, "c", &[1, 2]);
        leader.after(0, "c", &[1, 2, 3]);
        assert_eq!(leader.after(10, "c", &[1, 2, 3]), Some(3), "it is forgotten");
    }
}
