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
