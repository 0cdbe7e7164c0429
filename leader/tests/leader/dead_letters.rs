//! What clusters refuse: tried again, waited for, or ended, and retried by a person when what was in the way is gone.

use crate::faults::Fault;
use crate::world::World;
use serde_json::json;
use tallyman_cluster::RefusedKind;
use tallyman_model::command::{Retry, Target};
use tallyman_model::record::Kind;
use tallyman_model::{Command, Phase, Reason};

const FORBIDDEN: [Fault; 200] = [Fault::Refused(403, RefusedKind::Forbidden); 200];

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_told_of_with_the_clusters_words_and_waited_for() {
    let world = World::led();
    world.east().fault("create ConfigMap report-input", &FORBIDDEN[..5]);
    world.submit("report", |_| {});
    world.until("the reason", |world| world.get("report").reason == Reason::NeedsOperator).await;
    let run = world.get("report");
    assert!(run.message.contains("403") && run.message.contains("the simulation says so"), "{}", run.message);
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_run_once_when_it_is_retried() {
    let world = World::led();
    world.east().fault("create ConfigMap report-input", &FORBIDDEN);
    world.submit("report", |value| value["spec"]["startBy"] = json!("5m"));
    world.until_phase("report", Phase::Failed).await;
    let run = world.get("report");
    assert_eq!((run.reason, run.is_dead_letter()), (Reason::NeedsOperator, true));
    let tries = world.east().writes().len();
    assert!((5..60).contains(&tries), "{tries} tries in five minutes");
    world.east().with(|inner| inner.faults.clear());
    let target = Target { revision: Some(run.head.revision), ..Target::named("risk", "report") };
    world.ok(Command::Retry(Retry { target, why: "the role is there now".to_owned() }));
    world.until_phase("report", Phase::Succeeded).await;
    let made = world.east().writes().into_iter().filter(|write| write.starts_with("create Job")).count();
    assert_eq!(made, 1);
}
