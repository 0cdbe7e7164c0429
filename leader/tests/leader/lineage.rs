//! A group that goes on from a backup.

use crate::world::World;
use std::time::Duration;
use tallyman_model::command::{AddMember, BeginLineage, ConfirmLineage};
use tallyman_model::record::Origin;
use tallyman_model::{Command, Phase, Uid};

#[tokio::test(start_paused = true)]
async fn a_group_that_goes_on_from_a_backup_watches_and_compares_and_sends_nothing_until_it_is_confirmed() {
    let world = World::led();
    world.submit("before", |_| {});
    world.until_phase("before", Phase::Running).await;
    let lineage = Uid([5; 16]);
    world.ok(Command::BeginLineage(BeginLineage {
        lineage,
        origin: Origin::Restored,
        source: "a backup".to_owned(),
        member: AddMember {
            directory: Uid([5; 16]),
            datacenter: "there".to_owned(),
            peer_address: "127.0.0.1:3".to_owned(),
            api_url: "http://127.0.0.1:4".to_owned(),
        },
    }));
    world.pass(Duration::from_secs(1)).await;
    let writes = world.east().writes().len();
    world.submit("after", |_| {});
    world.until_phase("before", Phase::Succeeded).await;
    world.until("the comparison", |world| world.cluster("east").swept_ms > 0).await;
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(world.east().writes().len(), writes);
    assert_eq!(world.get("after").phase, Phase::Accepted);
    world.ok(Command::ConfirmLineage(ConfirmLineage { lineage, without: Vec::new() }));
    world.until_phase("after", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn runs_that_were_sent_after_the_backup_are_taken_over_and_only_the_others_are_sent() {
    let mut world = World::new(3, &["east", "west"]);
    world.raise();
    for name in ["first", "second", "third"] {
        world.submit(name, |_| {});
    }
    let backup = world.state.view.lock().unwrap().0.clone();
    world.lead(None);
    for name in ["first", "second", "third"] {
        world.until_phase(name, Phase::Running).await;
    }
    world.life = None;
    world.state.view.lock().unwrap().0 = backup;
    // Nobody has sent it: it was submitted and the backup taken right after that.
    world.submit("unsent", |_| {});
    let lineage = Uid([5; 16]);
    world.ok(Command::BeginLineage(BeginLineage {
        lineage,
        origin: Origin::Restored,
        source: "a backup".to_owned(),
        member: AddMember {
            directory: Uid([5; 16]),
            datacenter: "there".to_owned(),
            peer_address: "127.0.0.1:3".to_owned(),
            api_url: "http://127.0.0.1:4".to_owned(),
        },
    }));
    let creates = |world: &World| {
        let writes = world.sims.values().flat_map(|sim| sim.writes()).map(|write| format!("{write:?}"));
        writes.filter(|write| write.to_lowercase().contains("create")).count()
    };
    let before = creates(&world);
    world.lead(None);
    for name in ["first", "second", "third"] {
        world.until(name, |world| world.get(name).main_object().is_some_and(|job| job.uid.is_some())).await;
    }
    world
        .until("both are compared", |world| {
            ["east", "west"].iter().all(|name| world.cluster(name).swept_ms > 0)
        })
        .await;
    for name in ["east", "west"] {
        assert_eq!(world.cluster(name).strays, [], "{name}");
    }
    assert_eq!(creates(&world), before);
    world.ok(Command::ConfirmLineage(ConfirmLineage { lineage, without: Vec::new() }));
    for name in ["first", "second", "third", "unsent"] {
        world.until_phase(name, Phase::Succeeded).await;
        assert_eq!(world.get(name).attempts.len(), 1, "{name}");
    }
    assert_eq!(creates(&world), before + 2, "a Job and its ConfigMap");
}
