//! Random faults, crashes and user commands: every run ends, and no object that is known to have landed is made twice.

use crate::faults::Fault;
use crate::story::{cancel, delete};
use crate::world::World;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tallyman_cluster::RefusedKind;
use tallyman_model::Env;
use tallyman_model::record::{Kind, ObjectState};

struct Dice<'a>(&'a dyn Env);

impl Dice<'_> {
    fn below(&self, bound: u64) -> u64 {
        self.0.number() % bound
    }
}

fn fault(dice: &Dice<'_>) -> Fault {
    match dice.below(6) {
        0 => Fault::Unsent,
        1 => Fault::LostAfter,
        2 => Fault::LostBefore,
        3 => Fault::Late(dice.below(50_000)),
        4 => Fault::Refused(429, RefusedKind::TooMany),
        _ => Fault::Refused(403, RefusedKind::Quota),
    }
}

async fn play(seed: u64) {
    eprintln!("seed {seed}");
    let mut world = World::new(seed, &["east", "west"]);
    let env = world.state.env.clone();
    let dice = Dice(env.as_ref());
    let names: Vec<String> = (0..8).map(|i| format!("run-{i}")).collect();
    // How many creates of a Job are answered by silence and land later.
    let mut delayed: BTreeMap<String, usize> = BTreeMap::new();
    for name in &names {
        for sim in world.sims.values() {
            for write in ["create Job", "patch Job", "delete Job"] {
                let faults: Vec<_> = (0..dice.below(3)).map(|_| fault(&dice)).collect();
                let late = faults.iter().filter(|fault| matches!(fault, Fault::Late(_))).count();
                *delayed.entry(name.clone()).or_default() += if write == "create Job" { late } else { 0 };
                sim.fault(&format!("{write} {name}"), &faults);
            }
            let faults: Vec<_> = (0..dice.below(2)).map(|_| fault(&dice)).collect();
            sim.fault(&format!("create ConfigMap {name}-input"), &faults);
        }
        world.submit(name, |value| value["spec"]["ttlAfterFinished"] = json!("1h"));
    }
    for _ in 0..12 {
        let blows_at = (dice.below(3) > 0).then(|| dice.below(60));
        world.lead(blows_at);
        let fuse = std::sync::Arc::clone(&world.life().fuse);
        let failures = (0..dice.below(4)).map(|_| u8::try_from(1 + dice.below(3)).unwrap()).collect();
        *world.life().log.failures.lock().unwrap() = failures;
        let name = &names[usize::try_from(dice.below(8)).unwrap()];
        match dice.below(8) {
            0 if world.find(name).is_some_and(|run| !run.phase.is_terminal() && run.cancel.is_none()) => {
                cancel(&world, name)
            }
            1 if world.find(name).is_some() => delete(&world, name),
            2 => world.sims.values().for_each(|sim| sim.compact()),
            _ => {}
        }
        tokio::select! {
            place = fuse.blown() => eprintln!("seed {seed}: a life ends at {place}"),
            () = tokio::time::sleep(Duration::from_millis(dice.below(5_000))) => {}
        }
    }
    world.lead(None);
    for name in &names {
        world
            .until(&format!("the end of {name} (seed {seed})"), |world| {
                world.find(name).is_none_or(|run| run.phase.is_terminal() && (run.deletion.is_none()))
            })
            .await;
    }
    // Late requests land within the time that is waited for them; then nothing may be left that is not known.
    world.pass(Duration::from_secs(200)).await;
    for sim in world.sims.values() {
        for (key, object) in sim.with(|inner| inner.objects.clone()) {
            let uid = object["metadata"]["uid"].as_str().unwrap();
            let known = names.iter().filter_map(|name| world.find(name)).any(|run| {
                run.objects
                    .iter()
                    .any(|one| one.uid.as_deref() == Some(uid) && one.state == ObjectState::Live)
            });
            let run = world.find(&key.2);
            let writes = sim.writes();
            assert!(known, "seed {seed}: {key:?} is alive and not known: {object:#}; {run:#?}; {writes:?}");
        }
    }
    for name in &names {
        let made: usize = world.sims.values().map(|sim| sim.created(Kind::Job, name)).sum();
        // Only a delayed request may make another one, after the first was deleted.
        assert!(made <= 1 + delayed[name], "seed {seed}: {name} was made {made} times");
    }
}

#[tokio::test(start_paused = true)]
async fn every_run_ends_whatever_happens() {
    for seed in 1..=40 {
        play(seed).await;
    }
}
