//! Which clusters get a new generation next: a pure function of how far it is on the others.

use crate::manifest::write_duration;
use crate::record::{Cluster, Deployable, Health, Installation, Rollout, Synced};
use crate::{Ordinal, rule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A cluster that a deployable is to be on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage<'a> {
    /// Its name.
    pub cluster: &'a str,
    /// How far the generation is there; `None`: it has not been begun.
    pub begun: Option<Begun>,
    /// Why nobody knows how it does there, and nothing can be sent: `out of reach` or `quarantined`.
    pub away: Option<&'static str>,
    /// What is degraded there, and what it says of that; empty: nothing is, or it says nothing.
    pub failing: String,
    /// An operator takes no account of it as long as it is away: it is cordoned.
    pub cordoned: bool,
}

impl Stage<'_> {
    /// True if the others go on as if it were not there.
    fn is_left_out(&self) -> bool {
        self.cordoned && self.away.is_some()
    }
}

/// How far a generation is on one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// How all of it does there.
    pub health: Health,
    /// Since when all of it is applied and healthy, ms since 1970.
    pub ready_ms: Option<u64>,
}

/// How far a generation is on all clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// It is begun everywhere.
    #[default]
    Begun,
    /// It goes on when those where it is begun are ready, or those that are away are back.
    Waiting,
    /// Somebody paused it.
    Paused,
    /// It fails where it is begun, and goes nowhere else before that is mended.
    Degraded,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Next<'a> {
    /// Where the generation is begun now, in this order.
    pub begin: Vec<&'a str>,
    /// How it is after that.
    pub progress: Progress,
    /// Why it does not go on, or what is left out, in words; empty: it is begun everywhere.
    pub message: String,
    /// When to look again because only time is waited for, ms since 1970.
    pub look_ms: Option<u64>,
}

impl Next<'_> {
    /// True if it is to be begun somewhere, or says something else than the deployable says now.
    #[must_use]
    pub fn is_news_of(&self, deployable: &Deployable) -> bool {
        let said = (deployable.progress, &deployable.progress_message);
        !self.begin.is_empty() || (self.progress, &self.message) != said
    }
}

/// Decides on the approved generation of a deployable, by where it is and by the clusters that there are; `None`: nothing
/// of it is approved.
#[must_use]
pub fn of<'a>(
    deployable: &Deployable,
    clusters: &'a [Cluster],
    installations: impl Iterator<Item = &'a Installation>,
    now_ms: u64,
) -> Option<Next<'a>> {
    let approved = deployable.approved.as_ref()?;
    let installations: BTreeMap<Ordinal, &Installation> =
        installations.map(|one| (one.cluster, one)).collect();
    let stage = |cluster: &'a Cluster| {
        let known = installations.get(&cluster.head.ordinal);
        let is_one = deployable.wants(cluster) && (known.is_some() || !cluster.is_cordoned());
        let begun = known.filter(|one| one.generation == approved.generation && !one.leaving);
        let begun = begun.map(|one| Begun { health: one.health(), ready_ms: one.ready_ms });
        let failing = known.filter(|_| begun.is_some()).map(|one| failing(one)).unwrap_or_default();
        let (cordoned, away) = (cluster.is_cordoned(), away(cluster));
        is_one.then(|| Stage { cluster: &cluster.head.name, begun, away, failing, cordoned })
    };
    let stages = clusters.iter().filter_map(stage).collect();
    let mut next = next(&approved.spec.rollout, deployable.paused.is_some(), stages, now_ms);
    rule::truncate(&mut next.message);
    Some(next)
}

/// The first of the wanted objects that is degraded, with its words.
fn failing(installation: &Installation) -> String {
    let is_failing = |object: &&Synced| object.wanted && object.health == Health::Degraded;
    let words = |one: &Synced| format!("{} {}/{}: {}", one.kind, one.namespace, one.name, one.health_message);
    installation.objects.iter().find(is_failing).map(words).unwrap_or_default()
}

fn away(cluster: &Cluster) -> Option<&'static str> {
    let is_lost = cluster.reachable == Some(false);
    cluster.quarantined.then_some("quarantined").or(is_lost.then_some("out of reach"))
}

/// Decides on the clusters of a placement. At most `maxUnavailable` of them are unavailable at a time: those where the
/// generation is begun and not ready, which is all applied and healthy for as long as `minReady` says, and those that are
/// away, wherever they are in the order; there it is begun when they are back. Where something is degraded nothing more
/// is begun. Without `maxUnavailable` it is begun everywhere at once, also where it then waits for a cluster.
#[must_use]
pub fn next<'a>(rollout: &Rollout, paused: bool, mut stages: Vec<Stage<'a>>, now_ms: u64) -> Next<'a> {
    let place = |cluster: &str| rollout.order.iter().position(|one| one == cluster).unwrap_or(usize::MAX);
    stages.sort_by_key(|stage| (place(stage.cluster), stage.cluster));
    if rollout.max_unavailable.is_none() {
        stages.iter_mut().for_each(|stage| stage.away = None);
    }
    let (left_out, stages): (Vec<_>, Vec<_>) = stages.into_iter().partition(Stage::is_left_out);
    let rest: Vec<&Stage<'a>> = stages.iter().filter(|stage| stage.begun.is_none()).collect();
    if rest.is_empty() {
        return begun(Vec::new(), &left_out);
    }
    if let Some((progress, why)) = held(rollout, paused, &stages) {
        let message = format!("{why}: {} of {} clusters wait", rest.len(), stages.len());
        return Next { progress, message, ..Next::default() };
    }
    let ready_at = |begun: Begun| begun.ready_ms.map(|since_ms| since_ms + rollout.min_ready_ms);
    let is_ready = |begun: Begun| ready_at(begun).is_some_and(|at_ms| at_ms <= now_ms);
    let there = || stages.iter().filter(|stage| stage.away.is_none());
    let unready: Vec<&Stage<'a>> =
        there().filter(|stage| stage.begun.is_some_and(|begun| !is_ready(begun))).collect();
    let unavailable = unready.len() + stages.len() - there().count();
    let most = rollout.max_unavailable.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let turn = there().filter(|stage| stage.begun.is_none()).map(|stage| stage.cluster);
    let begin: Vec<&str> = turn.take(most.saturating_sub(unavailable)).collect();
    if begin.len() == rest.len() {
        return begun(begin, &left_out);
    }
    let look_ms = unready.iter().filter_map(|stage| ready_at(stage.begun?)).min();
    let waited: Vec<&str> = unready.iter().map(|stage| stage.cluster).chain(begin.iter().copied()).collect();
    let message = waits(rollout, &stages, &begin, &waited);
    Next { begin, progress: Progress::Waiting, message, look_ms }
}

/// After this it is begun everywhere but on what is left out.
fn begun<'a>(begin: Vec<&'a str>, left_out: &[Stage<'a>]) -> Next<'a> {
    let but = |names| format!("it is begun on all clusters but {names}");
    let but = (!left_out.is_empty()).then(|| but(describe(left_out.iter(), "cordoned and ")));
    Next { begin, message: but.unwrap_or_default(), ..Next::default() }
}

/// Why nothing more is begun before a person does something.
fn held(rollout: &Rollout, paused: bool, stages: &[Stage<'_>]) -> Option<(Progress, String)> {
    if paused {
        return Some((Progress::Paused, "it is paused".to_owned()));
    }
    let is_degraded = |stage: &&Stage<'_>| stage.begun.is_some_and(|begun| begun.health == Health::Degraded);
    let words = |stage: &Stage<'_>| match stage.failing.as_str() {
        "" => stage.cluster.to_owned(),
        failing => format!("{} ({failing})", stage.cluster),
    };
    let degraded: Vec<String> = stages.iter().filter(is_degraded).map(words).collect();
    (!degraded.is_empty() && rollout.max_unavailable.is_some())
        .then(|| (Progress::Degraded, format!("it is degraded on {}", degraded.join(", "))))
}

/// What the clusters on which it is not begun wait for.
fn waits(rollout: &Rollout, stages: &[Stage<'_>], begin: &[&str], waited: &[&str]) -> String {
    let waits = |stage: &&Stage<'_>| stage.begun.is_none() && !begin.contains(&stage.cluster);
    let mut message = format!("{} of {} clusters wait", stages.iter().filter(waits).count(), stages.len());
    let away = || stages.iter().filter(|stage| stage.away.is_some());
    if stages.iter().filter(waits).all(|stage| stage.away.is_some()) {
        let back = describe(away().filter(waits), "");
        return format!("{message}: {back}; it is begun there when they are back");
    }
    if !waited.is_empty() {
        let for_how_long = match rollout.min_ready_ms {
            0 => String::new(),
            long_ms => format!(" for {}", write_duration(long_ms)),
        };
        message += &format!(" until it is applied and healthy{for_how_long} on {}", waited.join(", "));
    }
    if away().next().is_some() {
        message += &format!(
            "; against maxUnavailable count {}: cordon what is to be gone on without",
            describe(away(), "")
        );
    }
    message
}

/// Clusters, each with why it is away.
fn describe<'a>(stages: impl Iterator<Item = &'a Stage<'a>>, also: &str) -> String {
    let one = |stage: &Stage<'_>| format!("{} ({also}{})", stage.cluster, stage.away.unwrap_or_default());
    stages.map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn rollout(max_unavailable: u32) -> Rollout {
        Rollout { max_unavailable: Some(max_unavailable), ..Rollout::default() }
    }

    fn at(health: Health, ready_ms: Option<u64>) -> Option<Begun> {
        Some(Begun { health, ready_ms })
    }

    fn stage(cluster: &'static str, begun: Option<Begun>) -> Stage<'static> {
        Stage { cluster, begun, away: None, failing: String::new(), cordoned: false }
    }

    #[test]
    fn one_cluster_after_the_other_in_the_order_that_is_asked_for() {
        let rollout = Rollout { order: vec!["c".to_owned()], min_ready_ms: 100, ..rollout(1) };
        let mut stages: Vec<Stage<'_>> = NAMES.iter().take(3).map(|&cluster| stage(cluster, None)).collect();
        assert_eq!(next(&rollout, false, stages.clone(), 0).begin, ["c"]);
        stages[2].begun = at(Health::Progressing, None);
        let waits = next(&rollout, false, stages.clone(), 0);
        assert_eq!((waits.begin.len(), waits.progress, waits.look_ms), (0, Progress::Waiting, None));
        stages[2].begun = at(Health::Healthy, Some(10));
        assert_eq!(next(&rollout, false, stages.clone(), 50).look_ms, Some(110));
        assert_eq!(next(&rollout, false, stages.clone(), 110).begin, ["a"]);
        assert_eq!(next(&rollout, true, stages.clone(), 110).progress, Progress::Paused);
        stages[2].begun = at(Health::Degraded, None);
        let stopped = next(&rollout, false, stages, 500);
        assert_eq!((stopped.begin.len(), stopped.progress), (0, Progress::Degraded));
        assert!(stopped.message.contains("degraded on c: 2 of 3"), "{}", stopped.message);
    }

    #[test]
    fn a_cluster_that_is_away_counts_as_unavailable_is_gone_past_where_that_is_allowed_and_come_back_for() {
        let done = at(Health::Healthy, Some(0));
        let away = |cluster, begun| Stage { away: Some("out of reach"), ..stage(cluster, begun) };
        let held = next(&rollout(1), false, vec![stage("a", done), away("b", None), stage("c", None)], 9);
        assert_eq!((held.begin.len(), held.progress), (0, Progress::Waiting));
        assert_eq!(
            held.message,
            "2 of 3 clusters wait; against maxUnavailable count b (out of reach): cordon what is to be gone on without"
        );
        let stages = vec![stage("a", done), away("b", None), stage("c", None)];
        let past = next(&rollout(2), false, stages, 9);
        assert_eq!((past.begin, past.progress), (vec!["c"], Progress::Waiting));
        let back = "1 of 3 clusters wait: b (out of reach); it is begun there when they are back";
        assert_eq!(past.message, back);
        let stages = vec![stage("a", done), stage("b", None), stage("c", done)];
        assert_eq!(next(&rollout(2), false, stages, 9).begin, ["b"]);
        // Where it was begun nobody knows how it does: it may be what took the cluster away.
        let stages = vec![away("a", done), stage("b", None)];
        assert!(next(&rollout(1), false, stages, 9).message.contains("a (out of reach)"));

        let left_out = |begun| Stage { cordoned: true, ..away("b", begun) };
        let stages = vec![stage("a", done), left_out(None), stage("c", None)];
        assert_eq!(next(&rollout(1), false, stages, 9).begin, ["c"]);
        let stages = vec![stage("a", done), left_out(at(Health::Degraded, None)), stage("c", done)];
        let rest = next(&rollout(1), false, stages, 9);
        let words = "it is begun on all clusters but b (cordoned and out of reach)";
        assert_eq!((rest.progress, rest.message.as_str()), (Progress::Begun, words));
    }

    #[test]
    fn without_a_bound_all_are_begun_at_once_and_still_can_be_paused() {
        let stages = vec![
            stage("a", at(Health::Degraded, None)),
            Stage { away: Some("out of reach"), ..stage("b", None) },
        ];
        assert_eq!(next(&Rollout::default(), false, stages.clone(), 0).begin, ["b"]);
        assert_eq!(next(&Rollout::default(), true, stages, 0).progress, Progress::Paused);
    }

    proptest! {
        #[test]
        fn no_more_than_max_unavailable_are_unready_at_a_time_and_all_get_it_in_the_end(
            most in 1..4_u32, min_ready_ms in 0..50_u64, turns in prop::collection::vec((0..5_usize, 0..5_u8), 0..60),
        ) {
            let rollout = Rollout { min_ready_ms, ..rollout(most) };
            let mut stages: Vec<Stage<'_>> = NAMES.iter().map(|&cluster| stage(cluster, None)).collect();
            let mut now_ms = 0;
            let begin = |stages: &mut Vec<Stage<'_>>, now_ms: u64| {
                for cluster in next(&rollout, false, stages.clone(), now_ms).begin {
                    let stage = stages.iter_mut().find(|stage| stage.cluster == cluster).unwrap();
                    assert_eq!((stage.begun, stage.away), (None, None));
                    stage.begun = at(Health::Progressing, None);
                }
            };
            for (at, health) in turns {
                now_ms += 10;
                let stage = &mut stages[at];
                stage.away = (health == 3).then_some("out of reach").or(stage.away.filter(|_| health != 4));
                if let Some(begun) = stage.begun.as_mut().filter(|_| health < 3) {
                    *begun = match health {
                        0 => Begun { health: Health::Healthy, ready_ms: Some(begun.ready_ms.unwrap_or(now_ms)) },
                        1 => Begun { health: Health::Progressing, ready_ms: None },
                        _ => Begun { health: Health::Degraded, ready_ms: None },
                    };
                }
                let before = stages.iter().filter(|stage| stage.begun.is_some()).count();
                begin(&mut stages, now_ms);
                let is_unready = |stage: &&Stage<'_>| stage.away.is_some() || stage.begun.is_some_and(|begun| {
                    begun.ready_ms.is_none_or(|since_ms| since_ms + min_ready_ms > now_ms)
                });
                let after = stages.iter().filter(|stage| stage.begun.is_some()).count();
                let unready = stages.iter().filter(is_unready).count();
                prop_assert!(after == before || unready <= most as usize);
            }
            stages.iter_mut().for_each(|stage| stage.away = None);
            for _ in 0..10 {
                now_ms += 100;
                stages.iter_mut().filter_map(|stage| stage.begun.as_mut()).for_each(|stage| {
                    *stage = Begun { health: Health::Healthy, ready_ms: Some(now_ms - 60) };
                });
                begin(&mut stages, now_ms);
            }
            prop_assert!(stages.iter().all(|stage| stage.begun.is_some()));
        }
    }
}
