//! Which clusters get a new generation next: a pure function of how far it is on the others.

use crate::manifest::write_duration;
use crate::record::{Health, Rollout};
use serde::{Deserialize, Serialize};

/// A cluster that a deployable is to be on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage<'a> {
    /// Its name.
    pub cluster: &'a str,
    /// How far the generation is there; `None`: it has not been begun.
    pub begun: Option<Begun>,
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
    /// It goes on when those where it is begun are ready.
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
    /// Why it does not go on, in words; empty: it is begun everywhere.
    pub message: String,
    /// When to look again because only time is waited for, ms since 1970.
    pub look_ms: Option<u64>,
}

/// Decides on the clusters of a placement. At most `maxUnavailable` of those where the generation is begun are not ready
/// at a time; ready is what is all applied and healthy for as long as `minReady` says. Where something is degraded
/// nothing more is begun.
#[must_use]
pub fn next<'a>(rollout: &Rollout, paused: bool, mut stages: Vec<Stage<'a>>, now_ms: u64) -> Next<'a> {
    let place = |cluster: &str| rollout.order.iter().position(|one| one == cluster).unwrap_or(usize::MAX);
    stages.sort_by_key(|stage| (place(stage.cluster), stage.cluster));
    let rest: Vec<&str> =
        stages.iter().filter(|stage| stage.begun.is_none()).map(|stage| stage.cluster).collect();
    if rest.is_empty() {
        return Next::default();
    }
    let held = |progress, message| Next { progress, message, ..Next::default() };
    let behind = format!("{} of {} clusters wait", rest.len(), stages.len());
    if paused {
        return held(Progress::Paused, format!("it is paused: {behind}"));
    }
    let begun = || stages.iter().filter_map(|stage| Some((stage.cluster, stage.begun?)));
    let degraded: Vec<&str> =
        begun().filter(|(_, begun)| begun.health == Health::Degraded).map(|(cluster, _)| cluster).collect();
    if !degraded.is_empty() && rollout.max_unavailable.is_some() {
        let message = format!("it is degraded on {}: {behind}", degraded.join(", "));
        return held(Progress::Degraded, message);
    }
    let ready_at = |begun: &Begun| begun.ready_ms.map(|since_ms| since_ms + rollout.min_ready_ms);
    let is_ready = |begun: &Begun| ready_at(begun).is_some_and(|at_ms| at_ms <= now_ms);
    let unready: Vec<(&str, Begun)> = begun().filter(|(_, begun)| !is_ready(begun)).collect();
    let most = rollout.max_unavailable.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let begin: Vec<&str> = rest.iter().copied().take(most.saturating_sub(unready.len())).collect();
    if begin.len() == rest.len() {
        return Next { begin, ..Next::default() };
    }
    let look_ms = unready.iter().filter_map(|(_, begun)| ready_at(begun)).min();
    let mut waited: Vec<&str> = unready.iter().map(|(cluster, _)| *cluster).collect();
    waited.extend(&begin);
    let for_how_long = match rollout.min_ready_ms {
        0 => String::new(),
        long_ms => format!(" for {}", write_duration(long_ms)),
    };
    let message = format!(
        "{} of {} clusters wait until it is applied and healthy{for_how_long} on {}",
        rest.len() - begin.len(),
        stages.len(),
        waited.join(", "),
    );
    Next { begin, progress: Progress::Waiting, message, look_ms }
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

    fn begun(health: Health, ready_ms: Option<u64>) -> Option<Begun> {
        Some(Begun { health, ready_ms })
    }

    #[test]
    fn one_cluster_after_the_other_in_the_order_that_is_asked_for() {
        let rollout = Rollout { order: vec!["c".to_owned()], min_ready_ms: 100, ..rollout(1) };
        let mut stages: Vec<Stage<'_>> =
            NAMES.iter().take(3).map(|&cluster| Stage { cluster, begun: None }).collect();
        assert_eq!(next(&rollout, false, stages.clone(), 0).begin, ["c"]);
        stages[2].begun = begun(Health::Progressing, None);
        let waits = next(&rollout, false, stages.clone(), 0);
        assert_eq!((waits.begin.len(), waits.progress, waits.look_ms), (0, Progress::Waiting, None));
        stages[2].begun = begun(Health::Healthy, Some(10));
        assert_eq!(next(&rollout, false, stages.clone(), 50).look_ms, Some(110));
        assert_eq!(next(&rollout, false, stages.clone(), 110).begin, ["a"]);
        assert_eq!(next(&rollout, true, stages.clone(), 110).progress, Progress::Paused);
        stages[2].begun = begun(Health::Degraded, None);
        let stopped = next(&rollout, false, stages, 500);
        assert_eq!((stopped.begin.len(), stopped.progress), (0, Progress::Degraded));
        assert!(stopped.message.contains("degraded on c: 2 of 3"), "{}", stopped.message);
    }

    #[test]
    fn without_a_bound_all_are_begun_at_once_and_still_can_be_paused() {
        let stages = vec![
            Stage { cluster: "a", begun: begun(Health::Degraded, None) },
            Stage { cluster: "b", begun: None },
        ];
        assert_eq!(next(&Rollout::default(), false, stages.clone(), 0).begin, ["b"]);
        assert_eq!(next(&Rollout::default(), true, stages, 0).progress, Progress::Paused);
    }

    proptest! {
        #[test]
        fn no_more_than_max_unavailable_are_unready_at_a_time_and_all_get_it_in_the_end(
            most in 1..4_u32, min_ready_ms in 0..50_u64, turns in prop::collection::vec((0..5_usize, 0..3_u8), 0..60),
        ) {
            let rollout = Rollout { min_ready_ms, ..rollout(most) };
            let mut stages: Vec<Stage<'_>> = NAMES.iter().map(|&cluster| Stage { cluster, begun: None }).collect();
            let mut now_ms = 0;
            let begin = |stages: &mut Vec<Stage<'_>>, now_ms: u64| {
                for cluster in next(&rollout, false, stages.clone(), now_ms).begin {
                    let stage = stages.iter_mut().find(|stage| stage.cluster == cluster).unwrap();
                    assert_eq!(stage.begun, None);
                    stage.begun = begun(Health::Progressing, None);
                }
            };
            for (at, health) in turns {
                now_ms += 10;
                if let Some(stage) = stages[at].begun.as_mut() {
                    *stage = match health {
                        0 => Begun { health: Health::Healthy, ready_ms: Some(stage.ready_ms.unwrap_or(now_ms)) },
                        1 => Begun { health: Health::Progressing, ready_ms: None },
                        _ => Begun { health: Health::Degraded, ready_ms: None },
                    };
                }
                let before = stages.iter().filter(|stage| stage.begun.is_some()).count();
                begin(&mut stages, now_ms);
                let is_unready = |stage: &&Stage<'_>| stage.begun.is_some_and(|begun| {
                    begun.ready_ms.is_none_or(|since_ms| since_ms + min_ready_ms > now_ms)
                });
                let after = stages.iter().filter(|stage| stage.begun.is_some()).count();
                let unready = stages.iter().filter(is_unready).count();
                prop_assert!(after == before || unready <= most as usize);
            }
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
