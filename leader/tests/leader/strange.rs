//! What clusters and networks do to runs.

use crate::faults::Fault;
use crate::story::{cancel, delete};
use crate::world::{GROUP, World};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tallyman_cluster::RefusedKind;
use tallyman_model::command::UpdateCluster;
use tallyman_model::manifest::marks;
use tallyman_model::record::{Kind, ObjectState};
use tallyman_model::{Command, Phase, Reason};

fn job(name: &str) -> (Kind, String, String) {
    (Kind::Job, "risk".to_owned(), name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_create_that_landed_is_found_and_not_sent_again() {
    let world = World::led();
    world.east().fault("create Job report", &[Fault::LostAfter]);
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
    assert_eq!(world.east().writes().iter().filter(|write| *write == "create Job report").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_create_that_did_not_land_is_sent_again_under_the_same_name() {
    let world = World::led();
    world.east().fault("create Job report", &[Fault::LostBefore, Fault::LostBefore]);
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.get("report").attempts.len(), 1);
    assert_eq!(world.east().writes().iter().filter(|write| *write == "create Job report").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_create_of_a_cancelled_run_is_waited_for_and_deleted() {
    let world = World::led();
    world.east().fault("create Job report", &[Fault::Late(40_000)]);
    world.submit("report", |_| {});
    world
        .until("the unknown outcome", |world| world.east().writes().contains(&"create Job report".to_owned()))
        .await;
    cancel(&world, "report");
    world.pass(Duration::from_secs(30)).await;
    assert_eq!(world.get("report").phase, Phase::Stopping, "no end is committed while a create is unknown");
    world.until_phase("report", Phase::Cancelled).await;
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
    assert!(world.east().get(Kind::Job, "risk", "report").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_second_object_of_a_delayed_request_is_found_and_deleted_and_the_end_stands() {
    let world = World::led();
    // The first request lands a minute after the second one did its work and its object went.
    world.east().fault("create Job report", &[Fault::Late(60_000)]);
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
    world.until("the release", |world| world.get("report").objects.iter().all(|object| !object.held)).await;
    world.east().delete(&job("report"), None).unwrap();
    world.until("it to go", |world| world.east().get(Kind::Job, "risk", "report").is_none()).await;
    world
        .until("it to be gone", |world| world.get("report").main_object().unwrap().state == ObjectState::Gone)
        .await;
    world.until("the late one", |world| world.east().created(Kind::Job, "report") == 2).await;
    world.until("its end", |world| world.east().get(Kind::Job, "risk", "report").is_none()).await;
    world
        .until("that to be known", |world| {
            world.get("report").main_object().unwrap().state == ObjectState::Gone
        })
        .await;
    assert_eq!(world.get("report").phase, Phase::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_name_of_somebody_else_ends_the_run() {
    let world = World::led();
    let foreign = json!({"metadata": {"name": "report", "namespace": "risk", "uid": "foreign"}});
    world.east().put(&job("report"), Some(foreign));
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Failed).await;
    let run = world.get("report");
    assert_eq!(run.reason, Reason::NameTaken);
    assert!(run.message.contains("foreign"), "{}", run.message);
    assert!(world.east().get(Kind::Job, "risk", "report").is_some(), "it is not touched");
}

#[tokio::test(start_paused = true)]
async fn a_missing_namespace_is_waited_for() {
    let world = World::led();
    world.east().with(|inner| inner.namespaces.clear());
    world.submit("report", |_| {});
    world.until("the reason", |world| world.get("report").reason == Reason::NamespaceMissing).await;
    world.pass(Duration::from_secs(60)).await;
    world.east().with(|inner| inner.namespaces.insert("risk".to_owned()));
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_object_ends_the_run_and_a_full_quota_does_not() {
    let world = World::led();
    world.east().fault("create Job wrong", &[Fault::Refused(422, RefusedKind::Invalid)]);
    world.east().fault("create Job quota", &[Fault::Refused(403, RefusedKind::Quota)]);
    world.submit("wrong", |_| {});
    world.submit("quota", |_| {});
    world.until_phase("wrong", Phase::Failed).await;
    assert_eq!(world.get("wrong").reason, Reason::Refused);
    world.until_phase("quota", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_lost_after_the_intent_sends_nothing() {
    let mut world = World::led();
    world.until("contact", |world| world.cluster("east").reachable == Some(true)).await;
    world.life().log.lost_after_intend.store(true, Ordering::SeqCst);
    world.submit("report", |_| {});
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(world.east().writes(), Vec::<String>::new());
    world.lead(None);
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
}

#[tokio::test(start_paused = true)]
async fn stripped_labels_are_put_back_and_the_run_goes_on() {
    let world = World::led();
    world.east().with(|inner| inner.run_ms = 60_000);
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    let mut object = world.east().get(Kind::Job, "risk", "report").unwrap();
    object["metadata"]["labels"] = json!({});
    world.east().put(&job("report"), Some(object));
    world
        .until("the labels", |world| {
            world.east().get(Kind::Job, "risk", "report").unwrap()["metadata"]["labels"][marks::GROUP]
                == GROUP.to_string()
        })
        .await;
    world.until_phase("report", Phase::Succeeded).await;
    assert!(!world.get("report").objects.iter().any(|object| object.stripped));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_somebody_deletes_fails_the_run_and_is_let_go() {
    let world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    world.east().delete(&job("report"), None).unwrap();
    world.until_phase("report", Phase::Failed).await;
    assert_eq!(world.get("report").reason, Reason::ObjectGone);
    assert!(world.east().get(Kind::Job, "risk", "report").is_none(), "our hold does not keep it");
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_cluster_is_not_called_in_vain_and_does_not_slow_the_other() {
    let mut world = World::new(1, &["dead", "east"]);
    world.lead(None);
    world.until("contact", |world| world.cluster("dead").reachable == Some(true)).await;
    world.sims["dead"].with(|inner| inner.down = true);
    world.submit("stuck", |value| value["spec"]["placement"] = json!({"clusters": ["dead"]}));
    for i in 0..10 {
        world.submit(&format!("run-{i}"), |value| value["spec"]["placement"] = json!({"clusters": ["east"]}));
    }
    let asked = tokio::time::Instant::now();
    for i in 0..10 {
        world.until_phase(&format!("run-{i}"), Phase::Succeeded).await;
    }
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    world.until("out of reach", |world| world.cluster("dead").reachable == Some(false)).await;
    let commands = world.state.verbs.lock().unwrap().len();
    world.pass(Duration::from_secs(300)).await;
    let more = world.state.verbs.lock().unwrap().len() - commands;
    assert!(more < 40, "a dead cluster cost {more} commands in 5 minutes");
    world.sims["dead"].with(|inner| inner.down = false);
    world.until_phase("stuck", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_to_a_cluster_that_is_another_one_now() {
    let world = World::led();
    world.submit("first", |value| value["spec"]["ttlAfterFinished"] = json!("1h"));
    world.until_phase("first", Phase::Succeeded).await;
    world.until("the release", |world| world.get("first").objects.iter().all(|object| !object.held)).await;
    world.east().with(|inner| {
        inner.identity = "another".to_owned();
        inner.objects.clear();
    });
    world.until("the quarantine", |world| world.cluster("east").quarantined).await;
    let writes = world.east().writes().len();
    world.submit("second", |_| {});
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(world.east().writes().len(), writes);
    assert_eq!(world.get("second").phase, Phase::Accepted);
    let lives = |object: &tallyman_model::record::Object| object.state == ObjectState::Live;
    assert!(world.get("first").objects.iter().all(lives), "what another cluster lacks is not gone");
    world.ok(Command::UpdateCluster(UpdateCluster {
        name: "east".to_owned(),
        confirm_identity: Some("another".to_owned()),
        ..UpdateCluster::default()
    }));
    world.until_phase("second", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_cluster_gets_no_writes_and_is_watched() {
    let world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    let paused =
        |paused| UpdateCluster { name: "east".to_owned(), paused: Some(paused), ..UpdateCluster::default() };
    world.ok(Command::UpdateCluster(paused(true)));
    world.pass(Duration::from_secs(1)).await;
    let writes = world.east().writes().len();
    world.until_phase("report", Phase::Succeeded).await;
    delete(&world, "report");
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(world.east().writes().len(), writes);
    world.ok(Command::UpdateCluster(paused(false)));
    world.until("the record to go", |world| world.find("report").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_refuses_for_a_moment_after_its_start_is_watched_soon() {
    let mut world = World::new(1, &["east"]);
    world.east().with(|inner| inner.unwatched = true);
    world.lead(None);
    world.until("the words", |world| world.cluster("east").message.contains("403 Forbidden")).await;
    world.east().with(|inner| inner.unwatched = false);
    let begun = tokio::time::Instant::now();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_may_not_be_watched_says_so_and_sweeps_see_the_ends() {
    let mut world = World::new(1, &["east"]);
    world.east().with(|inner| inner.unwatched = true);
    world.lead(None);
    world.submit("report", |_| {});
    world.until("the words", |world| world.cluster("east").message.contains("403 Forbidden")).await;
    assert_eq!(world.cluster("east").reachable, Some(true));
    world.until_phase("report", Phase::Succeeded).await;
    let commands = world.state.verbs.lock().unwrap().len();
    world.pass(Duration::from_secs(300)).await;
    let more = world.state.verbs.lock().unwrap().len() - commands;
    assert!(more < 40, "{more} commands in 5 minutes");
    world.east().with(|inner| inner.unwatched = false);
    world.until("silence", |world| world.cluster("east").message.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn ghosts_are_found_after_the_history_was_compacted_while_nobody_led() {
    let mut world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    world.life = None;
    world.east().finalize(&job("report"), marks::HOLD);
    world.east().delete(&job("report"), None).unwrap();
    world.pass(Duration::from_secs(1)).await;
    assert!(world.east().get(Kind::Job, "risk", "report").is_none());
    world.east().compact();
    world.lead(None);
    world.until_phase("report", Phase::Failed).await;
    assert_eq!(world.get("report").reason, Reason::ObjectGone);
}

#[tokio::test(start_paused = true)]
async fn a_config_map_that_landed_late_is_found_by_a_sweep_and_deleted() {
    let world = World::led();
    world.east().fault("create ConfigMap report-input", &[Fault::Late(200_000)]);
    world.submit("report", |value| value["spec"]["ttlAfterFinished"] = json!("5s"));
    world.until_phase("report", Phase::Succeeded).await;
    world.until("the objects to go", |world| world.east().with(|inner| inner.objects.is_empty())).await;
    world.until("the late one", |world| world.east().created(Kind::ConfigMap, "report-input") == 2).await;
    let landed = tokio::time::Instant::now();
    world.until("its end", |world| world.east().with(|inner| inner.objects.is_empty())).await;
    assert!(landed.elapsed() < Duration::from_secs(61), "two sweeps: {:?}", landed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn strays_are_reported_and_never_touched() {
    let world = World::led();
    let labels = json!({marks::GROUP: GROUP.to_string()});
    let stray = json!({"metadata": {"name": "copy", "namespace": "risk", "uid": "stray", "labels": labels}});
    world.east().put(&job("copy"), Some(stray));
    world.until("the report", |world| world.cluster("east").strays_count == 1).await;
    assert_eq!(world.cluster("east").strays[0].name, "copy");
    world.pass(Duration::from_secs(300)).await;
    assert_eq!(world.east().writes(), Vec::<String>::new());
    world.east().put(&job("copy"), None);
    world.until("the all-clear", |world| world.cluster("east").strays_count == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_rewound_history_begins_a_new_timeline_and_nothing_runs_again() {
    let world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
    world.until("the release", |world| world.get("report").objects.iter().all(|object| !object.held)).await;
    world.east().restore(50);
    world.until("the new timeline", |world| world.cluster("east").timeline == 2).await;
    world
        .until("the ghosts", |world| {
            world.get("report").objects.iter().all(|object| object.state == ObjectState::Gone)
        })
        .await;
    assert_eq!(world.get("report").phase, Phase::Succeeded);
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
    world.submit("next", |_| {});
    world.until_phase("next", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_restored_cluster_says_counts_though_its_versions_are_lower() {
    let world = World::led();
    world.east().with(|inner| inner.stuck.insert("report".to_owned()));
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Pending).await;
    world.east().restore_with(50, world.east().with(|inner| inner.objects.clone()));
    world.until("the new timeline", |world| world.cluster("east").timeline == 2).await;
    let mut ended = world.east().get(Kind::Job, "risk", "report").unwrap();
    ended["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    world.east().put(&job("report"), Some(ended));
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_a_restored_cluster_brings_back_is_deleted_again() {
    let world = World::led();
    world.submit("report", |value| value["spec"]["ttlAfterFinished"] = json!("1h"));
    world.until_phase("report", Phase::Succeeded).await;
    let backup = world.east().with(|inner| inner.objects.clone());
    delete_objects(&world).await;
    world.east().restore_with(50, backup);
    world.until("the new timeline", |world| world.cluster("east").timeline == 2).await;
    world.until("it to go again", |world| world.east().get(Kind::Job, "risk", "report").is_none()).await;
    assert_eq!((world.get("report").phase, world.cluster("east").strays_count), (Phase::Succeeded, 0));
}

/// After the ttl they are not wanted any more.
async fn delete_objects(world: &World) {
    world.pass(Duration::from_secs(3_600)).await;
    world.until("all to be gone", |world| world.east().with(|inner| inner.objects.is_empty())).await;
    let is_gone =
        |world: &World| world.get("report").objects.iter().all(|object| object.state == ObjectState::Gone);
    world.until("that to be known", is_gone).await;
}
