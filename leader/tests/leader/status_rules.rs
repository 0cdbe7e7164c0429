//! Runs of kinds that end as a rule of users says.

use crate::sim::Name;
use crate::world::World;
use serde_json::{Value, json};
use tallyman_model::command::PutStatusRule;
use tallyman_model::record::{Expressions, Kind};
use tallyman_model::{Command, Env, Phase, manifest};

const SPARK: &str = "sparkoperator.k8s.io/v1beta2";

fn name() -> Name {
    let kind = Kind::parse(SPARK, "SparkApplication").expect("a kind");
    (kind, "risk".to_owned(), "pi".to_owned())
}

impl World {
    fn rule(&self, is_new: bool, succeeded: &str) {
        self.ok(Command::PutStatusRule(Box::new(PutStatusRule {
            uid: is_new.then(|| self.state.env.uid()),
            name: "spark".to_owned(),
            group: "sparkoperator.k8s.io".to_owned(),
            kind: "SparkApplication".to_owned(),
            expressions: Expressions {
                succeeded: succeeded.to_owned(),
                running: "object.status.state == 'RUNNING'".to_owned(),
                ..Expressions::default()
            },
            ..PutStatusRule::default()
        })));
    }

    /// What the operator of that kind writes.
    fn says(&self, status: Value) {
        let mut object = self.east().get(name().0, "risk", "pi").expect("it was made");
        object["status"] = status;
        self.east().put(&name(), Some(object));
    }
}

/// A leader, a rule, and a run whose object was made.
async fn started() -> World {
    let world = World::led();
    world.raise();
    world.rule(true, "object.status.state == 'COMPLETED'");
    let value = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": "pi"},
        "spec": {"manifests": [
            {"apiVersion": SPARK, "kind": "SparkApplication", "metadata": {"name": "pi"}, "spec": {}},
        ]},
    });
    let submit = manifest::accept(value, "risk", world.state.env.uid()).expect("it is well-formed");
    world.ok(Command::Submit(Box::new(submit)));
    world.until_phase("pi", Phase::Pending).await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_run_follows_what_its_object_says_by_the_rule() {
    let world = started().await;
    world.says(json!({"state": "RUNNING"}));
    world.until_phase("pi", Phase::Running).await;
    world.says(json!({"state": "COMPLETED"}));
    world.until_phase("pi", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn when_the_rule_changes_objects_that_say_nothing_new_are_read_by_it() {
    let world = started().await;
    world.says(json!({"state": "DONE"}));
    world
        .until("it was seen", |world| {
            let run = world.get("pi");
            let seen = run.main_object().and_then(|object| object.seen.as_ref());
            seen.is_some_and(|seen| seen.rule.is_some())
        })
        .await;
    world.rule(false, "object.status.state == 'DONE'");
    world.until_phase("pi", Phase::Succeeded).await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_changed_while_nobody_led_counts_for_what_was_seen_before() {
    let mut world = started().await;
    world.says(json!({"state": "DONE"}));
    world
        .until("the watch has passed it", |world| {
            let east = world.cluster("east").head.ordinal;
            let version = world.east().with(|inner| inner.version.to_string());
            let watches = world.state.look(|view| tallyman_model::query::watches(view, east).unwrap());
            watches.iter().any(|watch| watch.extent.kind.is_other() && watch.cursor == version)
        })
        .await;
    world.life = None;
    world.rule(false, "object.status.state == 'DONE'");
    world.lead(None);
    world.until_phase("pi", Phase::Succeeded).await;
}
