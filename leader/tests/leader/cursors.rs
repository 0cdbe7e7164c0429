//! What an idle leader has to say of its watches.

use crate::world::World;
use std::time::Duration;
use tallyman_model::query;
use tallyman_model::record::{Extent, Kind};

const CLUSTERS: usize = 50;
/// As long as it is looked at what the leader commits.
const TIME: Duration = Duration::from_secs(600);
/// A bookmark, the beat after it, and what a commit takes.
const AGE_MS_MAX: u64 = 60_000 + 15_000 + 1_000;

impl World {
    /// Other kinds change on all clusters, as they always do: their versions grow.
    async fn others_write(&self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.sims.values().for_each(|sim| sim.with(|inner| inner.version += 1));
            self.pass(Duration::from_secs(1)).await;
        }
    }

    /// How old the newest cursor of the least known cluster is.
    fn oldest_ms(&self) -> Option<u64> {
        let now_ms = tallyman_model::Env::now_ms(self.state.env.as_ref());
        let age = |name: &String| {
            let cluster = self.cluster(name).head.ordinal;
            let watch =
                self.state.look(|view| query::watch(view, cluster, &Extent::everywhere(Kind::Job)).unwrap());
            watch.map(|watch| now_ms - watch.observed_ms)
        };
        self.sims.keys().map(age).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

/// A leader of many clusters on which nothing of ours happens, and what it commits in that time.
async fn idle(is_upgraded: bool) -> (World, Vec<String>) {
    let names: Vec<String> = (0..CLUSTERS).map(|number| format!("cluster-{number}")).collect();
    let mut world = World::new(1, &names.iter().map(String::as_str).collect::<Vec<_>>());
    if is_upgraded {
        world.raise();
    }
    world.lead(None);
    world.until("all are watched", |world| world.oldest_ms().is_some()).await;
    world.others_write(TIME).await;
    let before = world.state.verbs.lock().unwrap().len();
    world.others_write(TIME).await;
    let verbs = world.state.verbs.lock().unwrap().split_off(before);
    eprintln!("{CLUSTERS} clusters, {TIME:?}: {} entries", verbs.len());
    (world, verbs)
}

fn count(verbs: &[String], verb: &str) -> usize {
    verbs.iter().filter(|one| *one == verb).count()
}

#[tokio::test(start_paused = true)]
async fn the_cursors_of_all_clusters_move_in_one_entry_a_beat_and_stay_young() {
    let (world, verbs) = idle(true).await;
    let beats = usize::try_from(TIME.as_secs() / 15).unwrap();
    let moves = count(&verbs, "move-cursors");
    assert!((1..=beats + 1).contains(&moves), "{moves} in {beats} beats");
    assert_eq!(count(&verbs, "observe"), 0, "nothing happened");
    assert!(world.oldest_ms().is_some_and(|age_ms| age_ms <= AGE_MS_MAX), "{:?}", world.oldest_ms());
}

#[tokio::test(start_paused = true)]
async fn a_group_of_which_a_replica_may_not_know_that_moves_each_by_itself() {
    let (world, verbs) = idle(false).await;
    assert_eq!(count(&verbs, "move-cursors"), 0);
    assert!(count(&verbs, "observe") >= 9 * CLUSTERS, "one a minute of each: {}", count(&verbs, "observe"));
    assert!(world.oldest_ms().is_some_and(|age_ms| age_ms <= AGE_MS_MAX), "{:?}", world.oldest_ms());
}
