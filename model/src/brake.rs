//! The brake on stopping much at once.
//!
//! Only what destroys work counts: stopping or deleting the main object of an attempt that has not ended, and deleting
//! objects of a deployable on a cluster, once for each generation. What cleans up behind ended runs does not, however much
//! it is. Up to a floor nobody is held up; beyond it no more than a share of what is there, on a cluster or of a tenant,
//! may be stopped within a window. Then a person has to confirm it.

use crate::limits::{BRAKE_FLOOR_RUNS, BRAKE_SHARE_PERCENT, BRAKE_WINDOW_MS, BRAKES_MAX};
use crate::record::{Action, Installation, Meta, Object, Resource, Runnable, SyncAction};
use crate::{Damaged, Done, Ordinal, Refusal, Tag, Txn, lookup, time};
use serde::{Deserialize, Serialize};

/// Whose runs a brake counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Those on a cluster.
    Cluster(Ordinal),
    /// Those of a tenant.
    Tenant(String),
}

/// What was stopped of late, and whether that was too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// When the window began, ms since 1970.
    pub since_ms: u64,
    /// Runs that were stopped in it.
    pub stopped: u64,
    /// Since when nothing more is stopped, ms since 1970; `None`: it is not engaged.
    pub engaged_ms: Option<u64>,
    /// Until when a person has agreed to whatever is stopped, ms since 1970.
    pub confirmed_until_ms: u64,
}

impl Brake {
    /// True if one more run may be stopped, which then counts; otherwise the brake is engaged. `under_way`: how many
    /// runs are, those that are being stopped included, if that matters.
    pub fn allows<E>(&mut self, now_ms: u64, under_way: impl FnOnce() -> Result<u64, E>) -> Result<bool, E> {
        if self.engaged_ms.is_some() {
            return Ok(false);
        }
        if now_ms >= self.since_ms + BRAKE_WINDOW_MS {
            (self.since_ms, self.stopped) = (now_ms, 0);
        }
        let stopped = self.stopped + 1;
        if stopped > BRAKE_FLOOR_RUNS && now_ms >= self.confirmed_until_ms {
            // Those that have gone are not under way any more; so this is not less than there were.
            let of = under_way()? + self.stopped;
            if stopped * 100 > of * BRAKE_SHARE_PERCENT {
                self.engaged_ms = Some(now_ms);
                return Ok(false);
            }
        }
        self.stopped = stopped;
        Ok(true)
    }

    /// A person agrees to what waits.
    pub fn confirm(&mut self, now_ms: u64) {
        *self = Self { since_ms: now_ms, confirmed_until_ms: now_ms + BRAKE_WINDOW_MS, ..Self::default() };
    }

    /// True if it says nothing any more.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        let counts = now_ms < self.since_ms + BRAKE_WINDOW_MS || now_ms < self.confirmed_until_ms;
        self.engaged_ms.is_none() && !counts
    }

    /// In words, if it is engaged, with what to do. `scope` as the command line names it.
    #[must_use]
    pub fn words(&self, scope: &str) -> Option<String> {
        let since_ms = self.engaged_ms?;
        Some(format!(
            "{} submissions were stopped within {} min, more than {BRAKE_SHARE_PERCENT} % of those there: nothing more is \
             stopped since {} before somebody agrees (tallyman operator confirm-stops --{scope})",
            self.stopped,
            BRAKE_WINDOW_MS / 60_000,
            time::format(since_ms),
        ))
    }
}

/// True if the write would end work that has not ended by itself.
#[must_use]
pub fn counts(run: &Runnable, object: &Object, action: Action) -> bool {
    matches!(action, Action::Delete | Action::Stop) && run.is_main(object) && !run.has_ended(object)
}

/// True if something of the run is to be stopped, now or later, that a brake may hold back.
#[must_use]
pub fn may_hold(run: &Runnable) -> bool {
    let is_held = |object: &Object| {
        let action = run.next_action(object);
        !object.stop_counted && action.is_some_and(|action| counts(run, object, action))
    };
    run.objects.iter().any(is_held)
}

/// True if all that is due of the installation, now or later, is deletes that a brake may hold back.
#[must_use]
pub fn may_hold_sync(installation: &Installation) -> bool {
    let mut due = installation.objects.iter().filter_map(|object| {
        let reads = object.pending.is_some() || object.is_in_doubt();
        if reads { Some(None) } else { installation.next_action(object).map(Some) }
    });
    let mut some = false;
    let only_deletes = due.all(|action| {
        some = true;
        action == Some(SyncAction::Delete)
    });
    some && only_deletes && !installation.stop_counted
}

impl Meta {
    /// The brakes that are engaged.
    pub fn engaged(&self) -> impl Iterator<Item = (&Scope, &Brake)> {
        self.brakes.iter().filter(|(_, brake)| brake.engaged_ms.is_some())
    }

    /// The brake that keeps a run on `cluster` from being stopped, in words; `None` if none is engaged.
    #[must_use]
    pub fn braked_words(&self, cluster: Ordinal, cluster_name: &str, tenant: &str) -> Option<String> {
        let words = |scope: Scope, name: String| self.brakes.get(&scope)?.words(&name);
        words(Scope::Cluster(cluster), format!("cluster {cluster_name}"))
            .or_else(|| words(Scope::Tenant(tenant.to_owned()), format!("tenant {tenant}")))
    }
}

impl Txn<'_> {
    /// Stops nothing more of a tenant on a cluster if too much was stopped of late: the first that is too much engages
    /// the brake, and others are refused. `None`: it counts, and may be stopped.
    pub(crate) fn brake(
        &mut self,
        cluster: Ordinal,
        tenant: &str,
    ) -> Result<Option<Result<Done, Refusal>>, Damaged> {
        let name = self.cluster(cluster)?.map(|cluster| cluster.head.name).unwrap_or_default();
        if let Some(words) = self.meta.braked_words(cluster, &name, tenant) {
            return Ok(Some(Err(Refusal::outdated(words))));
        }
        let scopes = [Scope::Cluster(cluster), Scope::Tenant(tenant.to_owned())];
        if !self.count_stop(&scopes)? {
            self.say(self.meta.braked_words(cluster, &name, tenant).unwrap_or_default());
            self.tell();
            return Ok(Some(Ok(Done::at(self))));
        }
        Ok(None)
    }

    /// Counts one more run that is stopped; false if that is too much in one of the scopes, whose brake is then engaged.
    pub(crate) fn count_stop(&mut self, scopes: &[Scope]) -> Result<bool, Damaged> {
        let now_ms = self.now_ms();
        let mut brakes = std::mem::take(&mut self.meta.brakes);
        brakes.retain(|_, brake| !brake.is_over(now_ms));
        // Who agreed to what is stopped on a cluster agreed to it for all tenants, and the other way round.
        let is_agreed =
            |scope: &Scope| brakes.get(scope).is_some_and(|brake| now_ms < brake.confirmed_until_ms);
        let mut allowed = true;
        let counted: &[Scope] = if scopes.iter().any(is_agreed) { &[] } else { scopes };
        for scope in counted {
            let known = brakes.contains_key(scope);
            if allowed && (known || brakes.len() < BRAKES_MAX) {
                let brake = brakes.entry(scope.clone()).or_default();
                allowed = brake.allows(now_ms, || self.under_way(scope))?;
            }
        }
        self.meta.brakes = brakes;
        Ok(allowed)
    }

    fn under_way(&self, scope: &Scope) -> Result<u64, Damaged> {
        let count = match scope {
            Scope::Cluster(cluster) => {
                self.count(Tag::Active, cluster.0, usize::MAX)?
                    + self.count(Tag::Installed, cluster.0, usize::MAX)?
            }
            Scope::Tenant(tenant) => self.active_of(tenant)? + self.installed_of(tenant)?,
        };
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }
}

impl Txn<'_> {
    /// On how many clusters a tenant's deployables are, together.
    fn installed_of(&self, tenant: &str) -> Result<usize, Damaged> {
        let mut installed = 0;
        for ordinal in self.of_tenant(Resource::Deployable, lookup::tenant_hash(tenant))? {
            installed += self.count(Tag::Installed, ordinal.0, usize::MAX)?;
        }
        Ok(installed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn stop(brake: &mut Brake, now_ms: u64, under_way: u64) -> bool {
        let Ok(allowed) = brake.allows(now_ms, || Ok::<_, Infallible>(under_way));
        allowed
    }

    proptest! {
        #[test]
        fn no_more_than_the_floor_or_the_share_is_stopped_in_a_window_before_a_person_agrees(
            steps in prop::collection::vec((0..60_000_u64, any::<bool>()), 1..400), population in 0..2_000_u64,
        ) {
            let (mut brake, mut now_ms, mut under_way, mut stopped) = (Brake::default(), BRAKE_WINDOW_MS, population, 0_u64);
            let begun_ms = now_ms;
            for (pass_ms, goes_at_once) in steps {
                now_ms += pass_ms;
                if now_ms >= begun_ms + BRAKE_WINDOW_MS {
                    break;
                }
                if stop(&mut brake, now_ms, under_way) {
                    stopped += 1;
                    under_way -= u64::from(goes_at_once).min(under_way);
                }
            }
            // What is still being stopped counts twice at most.
            let most = BRAKE_FLOOR_RUNS.max(2 * population * BRAKE_SHARE_PERCENT / 100 + 1);
            prop_assert!(stopped <= most, "{stopped} of {population}");
        }

        #[test]
        fn a_few_are_never_held_up(population in 0..1_000_u64, stops in 0..=BRAKE_FLOOR_RUNS) {
            let mut brake = Brake::default();
            prop_assert!((0..stops).all(|i| stop(&mut brake, BRAKE_WINDOW_MS + i, population.saturating_sub(i))));
        }

        #[test]
        fn a_small_share_is_never_held_up(stops in 1..2_000_u64) {
            let population = stops * 100 / BRAKE_SHARE_PERCENT + 1;
            let mut brake = Brake::default();
            prop_assert!((0..stops).all(|i| stop(&mut brake, BRAKE_WINDOW_MS + i, population - i)));
        }
    }

    #[test]
    fn it_stays_engaged_until_a_person_agrees_and_then_all_of_it_goes_on() {
        let mut brake = Brake::default();
        let allowed = (0..100).filter(|_| stop(&mut brake, BRAKE_WINDOW_MS, 100)).count() as u64;
        assert_eq!(allowed, BRAKE_FLOOR_RUNS);
        assert!(!stop(&mut brake, 50 * BRAKE_WINDOW_MS, 100) && !brake.is_over(50 * BRAKE_WINDOW_MS));
        assert!(brake.words("cluster east").is_some_and(|words| words.contains("--cluster east")));
        brake.confirm(50 * BRAKE_WINDOW_MS);
        assert_eq!(brake.words("cluster east"), None);
        assert!((0..1_000).all(|_| stop(&mut brake, 50 * BRAKE_WINDOW_MS + 1, 100)));
        assert!(brake.is_over(52 * BRAKE_WINDOW_MS));
    }
}
