//! What becomes of runs when nothing is strange.

use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tallyman_model::command::{Cancel, Delete, Retry, Target, UpdateCluster};
use tallyman_model::manifest::marks;
use tallyman_model::record::{Kind, ObjectState};
use tallyman_model::{Command, Phase, Reason};

#[tokio::test(start_paused = true)]
async fn a_job_and_its_config_map_are_made_once_and_the_run_succeeds() {
    let world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Succeeded).await;
    let run = world.get("report");
    assert_eq!(run.attempts.len(), 1);
    assert_eq!(run.attempts[0].cluster_name, "east");
    assert_eq!(
        (world.east().created(Kind::Job, "report"), world.east().created(Kind::ConfigMap, "report-input")),
        (1, 1)
    );
    let writes = world.east().writes();
    assert_eq!(writes[..2], ["create ConfigMap report-input", "create Job report"]);
}

#[tokio::test(start_paused = true)]
async fn the_hold_is_released_after_the_end_is_committed_and_others_finalizers_stay() {
    let world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    let key = (Kind::Job, "risk".to_owned(), "report".to_owned());
    let mut object = world.east().get(Kind::Job, "risk", "report").unwrap();
    assert_eq!(object["metadata"]["finalizers"], json!([marks::HOLD]));
    object["metadata"]["finalizers"] = json!(["a.example/first", marks::HOLD, "a.example/last"]);
    world.east().put(&key, Some(object));
    world.until_phase("report", Phase::Succeeded).await;
    world.until("the release", |world| world.get("report").objects.iter().all(|object| !object.held)).await;
    let object = world.east().get(Kind::Job, "risk", "report").unwrap();
    assert_eq!(object["metadata"]["finalizers"], json!(["a.example/first", "a.example/last"]));
}

#[tokio::test(start_paused = true)]
async fn the_objects_go_after_the_ttl_and_the_record_stays() {
    let world = World::led();
    world.submit("report", |value| value["spec"]["ttlAfterFinished"] = json!("60s"));
    world.until_phase("report", Phase::Succeeded).await;
    world.pass(Duration::from_secs(30)).await;
    assert!(world.east().get(Kind::Job, "risk", "report").is_some());
    world
        .until("all objects gone", |world| {
            world.get("report").objects.iter().all(|object| object.state == ObjectState::Gone)
        })
        .await;
    assert!(world.east().with(|inner| inner.objects.is_empty()));
    assert_eq!(world.get("report").phase, Phase::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_when_its_job_is_gone_and_not_before() {
    let world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    let key = (Kind::Job, "risk".to_owned(), "report".to_owned());
    let mut object = world.east().get(Kind::Job, "risk", "report").unwrap();
    object["metadata"]["finalizers"] = json!([marks::HOLD, "a.example/slow"]);
    world.east().put(&key, Some(object));
    cancel(&world, "report");
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(world.get("report").phase, Phase::Stopping);
    world.east().finalize(&key, "a.example/slow");
    let asked = tokio::time::Instant::now();
    world.until_phase("report", Phase::Cancelled).await;
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert!(world.east().get(Kind::Job, "risk", "report").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_takes_seconds_not_a_retry_delay() {
    let world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    let asked = tokio::time::Instant::now();
    cancel(&world, "report");
    world.until_phase("report", Phase::Cancelled).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_run_leaves_nothing_behind() {
    let world = World::led();
    world.submit("report", |_| {});
    world.until_phase("report", Phase::Running).await;
    delete(&world, "report");
    world.until("the record to go", |world| world.find("report").is_none()).await;
    assert!(world.east().with(|inner| inner.objects.is_empty()));
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_followed_by_the_next_one_under_a_numbered_name() {
    let world = World::led();
    world.east().with(|inner| inner.failing.insert("report".to_owned()));
    world.submit("report", |value| value["spec"]["attempts"] = json!({"max": 2, "backoff": "1s"}));
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.get("report").attempts.len(), 2);
    assert_eq!(world.east().created(Kind::Job, "report"), 1);
    assert_eq!(world.east().created(Kind::Job, "report-a2"), 1);
    assert_eq!(
        world.east().created(Kind::ConfigMap, "report-input"),
        1,
        "members are shared by the attempts"
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_the_objects_are_gone_makes_the_members_again() {
    let world = World::led();
    world.east().with(|inner| inner.failing.insert("report".to_owned()));
    world.submit("report", |value| value["spec"]["ttlAfterFinished"] = json!("10s"));
    world.until_phase("report", Phase::Failed).await;
    world.until("the objects to go", |world| world.east().with(|inner| inner.objects.is_empty())).await;
    world.ok(Command::Retry(Retry { target: Target::named("risk", "report"), why: String::new() }));
    world.until_phase("report", Phase::Succeeded).await;
    assert_eq!(world.east().created(Kind::ConfigMap, "report-input"), 2);
}

#[tokio::test(start_paused = true)]
async fn runs_spread_over_the_clusters() {
    let mut world = World::new(1, &["east", "west"]);
    world.lead(None);
    for i in 0..20 {
        world.submit(&format!("run-{i}"), |_| {});
    }
    for i in 0..20 {
        world.until_phase(&format!("run-{i}"), Phase::Succeeded).await;
    }
    let jobs = |name: &str| {
        world.sims[name].with(|inner| inner.created.iter().filter(|one| one.0 == Kind::Job).count())
    };
    assert_eq!((jobs("east"), jobs("west")), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn runs_that_no_cluster_takes_cost_nothing_and_all_go_as_soon_as_one_does() {
    const RUNS: usize = 1_500;
    let mut world = World::new(1, &["east"]);
    world.lead(None);
    cordon(&world, true);
    for i in 0..RUNS {
        world.submit(&format!("run-{i}"), |_| {});
    }
    world
        .until("all said why they wait", |world| {
            world.get(&format!("run-{}", RUNS - 1)).reason == Reason::NoCluster
        })
        .await;
    let placings = |world: &World| {
        world.state.verbs.lock().unwrap().iter().filter(|verb| verb.starts_with("place")).count()
    };
    assert_eq!(placings(&world), RUNS, "each is told once");
    world.pass(Duration::from_secs(240)).await;
    assert_eq!(placings(&world), RUNS);
    cordon(&world, false);
    let asked = tokio::time::Instant::now();
    let is_placed = |world: &World, i: usize| world.get(&format!("run-{i}")).attempt().is_some();
    world.until("all are placed", |world| (0..RUNS).all(|i| is_placed(world, i))).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    // Whoever leads next looks at those that wait, too: it may have come to lead because that cluster came back.
    cordon(&world, true);
    world.submit("late", |_| {});
    world.until("it says why", |world| world.get("late").reason == Reason::NoCluster).await;
    world.life = None;
    cordon(&world, false);
    world.lead(None);
    let asked = tokio::time::Instant::now();
    world.until("it is placed", |world| world.get("late").attempt().is_some()).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_did_not_start_in_time_fails() {
    let world = World::led();
    world.east().with(|inner| inner.namespaces.clear());
    world.submit("report", |value| value["spec"]["startBy"] = json!("30s"));
    world.until("the reason", |world| world.get("report").reason == Reason::NamespaceMissing).await;
    world.until_phase("report", Phase::Failed).await;
    assert_eq!(world.get("report").reason, Reason::StartByPassed);
}

fn cordon(world: &World, cordoned: bool) {
    let name = "east".to_owned();
    world.ok(Command::UpdateCluster(UpdateCluster {
        name,
        cordoned: Some(cordoned),
        ..UpdateCluster::default()
    }));
}

pub(crate) fn cancel(world: &World, name: &str) {
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", name), why: String::new() }));
}

pub(crate) fn delete(world: &World, name: &str) {
    world.ok(Command::Delete(Delete { target: Target::named("risk", name) }));
}

/// A Workflow and the WorkflowTemplate that it names.
fn workflow(value: &mut Value) {
    let api = "argoproj.io/v1alpha1";
    value["spec"]["manifests"] = json!([
        {"apiVersion": api, "kind": "WorkflowTemplate", "metadata": {"name": "shared"}, "spec": {}},
        {"apiVersion": api, "kind": "Workflow", "metadata": {"name": "report"}, "spec": {}},
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_workflow_runs_after_its_template_was_made() {
    let world = World::led();
    world.raise();
    world.submit("report", workflow);
    world.until_phase("report", Phase::Succeeded).await;
    let writes = world.east().writes();
    assert_eq!(writes[..2], ["create WorkflowTemplate shared", "create Workflow report"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_workflow_is_asked_to_stop_and_stays_to_be_looked_at() {
    let world = World::led();
    world.raise();
    world.submit("report", workflow);
    world.until_phase("report", Phase::Running).await;
    world.ok(Command::Cancel(Cancel { target: Target::named("risk", "report"), why: String::new() }));
    world.until_phase("report", Phase::Cancelled).await;
    world.until("the release", |world| world.get("report").objects.iter().all(|object| !object.held)).await;
    let object = world.east().get(Kind::Workflow, "risk", "report").unwrap();
    assert_eq!(object["spec"]["shutdown"], json!("Stop"));
    assert!(!world.east().writes().iter().any(|write| write.starts_with("delete")));
}

#[tokio::test(start_paused = true)]
async fn workflows_are_watched_only_where_there_are_some_and_jobs_everywhere() {
    let mut world = World::new(1, &["east", "west"]);
    world.raise();
    world.lead(None);
    world.submit("report", |value| {
        workflow(value);
        value["spec"]["placement"] = json!({"clusters": ["east"]});
    });
    world.until_phase("report", Phase::Succeeded).await;
    world.pass(Duration::from_secs(300)).await;
    let watched = |name: &str| world.sims[name].with(|inner| inner.watched.clone());
    assert_eq!(watched("east"), BTreeSet::from([Kind::Job, Kind::Workflow]));
    assert_eq!(watched("west"), BTreeSet::from([Kind::Job]));
}

#[tokio::test(start_paused = true)]
async fn an_object_of_any_kind_is_made_before_the_job_and_watched_while_it_is_there() {
    let world = World::led();
    world.raise();
    let widget = Kind::parse("example.com/v1", "Widget").unwrap();
    world.submit("report", |value| {
        let manifest = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}});
        value["spec"]["manifests"].as_array_mut().unwrap().push(manifest);
    });
    world.until_phase("report", Phase::Succeeded).await;
    let writes = world.east().writes();
    let at = |what: &str| writes.iter().position(|write| write == what);
    assert!(at("create Widget w").unwrap() < at("create Job report").unwrap(), "{writes:?}");
    assert!(world.east().with(|inner| inner.watched.contains(&widget)));
}
