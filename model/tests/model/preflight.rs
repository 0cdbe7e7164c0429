//! Clusters that are asked whether they would take a run, before it is placed there.

use crate::world::World;
use serde_json::json;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

impl World {
    fn checked(preflight: &str) -> Self {
        let mut world = Self::upgraded();
        world.submit("report", |run| run["spec"]["preflight"] = json!(preflight));
        world
    }

    fn choose(&mut self, choice: Choice) -> Result<Done, Refusal> {
        let run = self.get("report");
        let attempt = run.attempts.len() as u32 + 1;
        self.run(Command::Place(Place { run: run.head.ordinal, attempt, choice, why: "words".to_owned() }))
    }

    fn ask(&mut self, cluster: &str) {
        let choice = Choice::Ask(self.cluster(cluster).head.ordinal);
        self.choose(choice).unwrap();
    }

    fn say(&mut self, cluster: &str, verdict: PreflightVerdict, message: &str) -> Result<Done, Refusal> {
        let (run, cluster) = (self.get("report").head.ordinal, self.cluster(cluster).head.ordinal);
        self.run(Command::Check(Check { run, cluster, verdict, message: message.to_owned() }))
    }
}

#[test]
fn a_required_preflight_is_a_gate_that_opens_when_the_cluster_would_take_it() {
    let mut world = World::checked("Require");
    let east = world.cluster("east").head.ordinal;
    let refused = world.choose(Choice::On(east)).unwrap_err();
    assert!(refused.message.contains("has not said"), "{refused}");
    world.ask("east");
    let run = world.get("report");
    assert_eq!(
        (run.phase, run.message.as_str()),
        (Phase::Accepted, "east is asked whether it would take it")
    );
    assert_eq!(world.due(Lane::Preflight, east), [run.head.ordinal]);
    assert!(world.due(Lane::Place, Ordinal(0)).is_empty(), "it waits for the answer");
    // Another cluster's answer is not waited for.
    world.say("west", PreflightVerdict::Passed, "").unwrap_err();
    world.say("east", PreflightVerdict::Refused, "exceeded quota").unwrap();
    assert!(world.due(Lane::Preflight, east).is_empty());
    assert_eq!(world.due(Lane::Place, Ordinal(0)), [run.head.ordinal]);
    assert_eq!(world.get("report").refusals(world.now_ms)[&east], "refuses it (exceeded quota)");
    world.choose(Choice::On(east)).unwrap_err();
    world.ask("west");
    world.say("west", PreflightVerdict::Passed, "").unwrap();
    world.place("report", "west");
    assert_eq!(world.get("report").phase, Phase::Placed);
}

#[test]
fn what_a_cluster_said_counts_for_a_while_and_is_asked_anew_then() {
    let mut world = World::checked("Require");
    let east = world.cluster("east").head.ordinal;
    world.ask("east");
    world.say("east", PreflightVerdict::Refused, "exceeded quota").unwrap();
    world.choose(Choice::Nowhere("no cluster takes it now: east refuses it".to_owned())).unwrap();
    let run = world.get("report");
    assert_eq!(run.reason, Reason::NoCluster);
    assert_eq!(run.place_due_ms, world.now_ms + limits::CHECK_REFUSED_MS, "then it may take it");
    world.now_ms += limits::CHECK_REFUSED_MS;
    assert!(world.get("report").refusals(world.now_ms).is_empty());
    world.ask("east");
    world.say("east", PreflightVerdict::Passed, "").unwrap();
    assert_eq!(world.get("report").checks.len(), 1, "its last word counts");
    world.now_ms += limits::CHECK_PASSED_MS;
    assert!(!world.get("report").is_checked(east, world.now_ms));
    world.choose(Choice::On(east)).unwrap_err();
    // Who does not say is not waited for for long.
    world.ask("east");
    world.now_ms += limits::CHECK_WITHIN_MS;
    assert_eq!(world.due(Lane::Place, Ordinal(0)), [run.head.ordinal]);
    world.now_ms += 24 * 3_600_000;
    world.ok(Command::Expire(Expire {}));
    assert_eq!(world.get("report").reason, Reason::StartByPassed);
    world.say("east", PreflightVerdict::Passed, "").unwrap_err();
}

#[test]
fn advice_does_not_keep_a_run_from_a_cluster_and_without_it_nobody_is_asked() {
    let mut world = World::checked("Advise");
    let east = world.cluster("east").head.ordinal;
    world.choose(Choice::On(east)).unwrap_err();
    world.ask("east");
    world.say("east", PreflightVerdict::Refused, "exceeded quota").unwrap();
    assert!(world.get("report").refusals(world.now_ms).is_empty());
    world.place("report", "east");
    assert_eq!(world.get("report").phase, Phase::Placed);
    let mut world = World::checked("Skip");
    world.place("report", "east");
    assert_eq!(world.get("report").phase, Phase::Placed);
}
