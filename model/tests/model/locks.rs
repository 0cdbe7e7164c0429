//! Locks and semaphores: stories, and properties of any order of commands.

use crate::world::World;
use proptest::prelude::*;
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

pub(crate) fn add(world: &mut World, name: &str, permits: u32) {
    let uid = world.uid();
    world.ok(Command::AddLock(AddLock {
        uid,
        namespace: "risk".to_owned(),
        name: name.to_owned(),
        labels: Default::default(),
        annotations: Default::default(),
        permits,
    }));
}

pub(crate) fn lock(world: &World, name: &str) -> Lock {
    match query::named(&world.view, Resource::Lock, "risk", name).unwrap() {
        Some(Record::Lock(lock)) => lock,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn acquire(
    world: &mut World,
    name: &str,
    owner: &str,
    permits: u32,
    ttl_s: u64,
) -> Result<Revision, Refusal> {
    let (target, ttl_ms) = (Target::named("risk", name), ttl_s * 1_000);
    world.run(Command::AcquireLock(AcquireLock { target, owner: owner.to_owned(), permits, ttl_ms }))?;
    let lock = lock(world, name);
    Ok(lock.holders.iter().find(|hold| hold.owner == owner).unwrap().token)
}

pub(crate) fn renew(world: &mut World, token: Revision, ttl_s: u64) -> Result<Done, Refusal> {
    let target = Target::named("risk", "lock");
    world.run(Command::RenewLock(RenewLock { target, token, ttl_ms: ttl_s * 1_000 }))
}

fn release(world: &mut World, token: Revision) -> Result<Done, Refusal> {
    world.run(Command::ReleaseLock(ReleaseLock { target: Target::named("risk", "lock"), token }))
}

#[test]
fn a_lock_is_held_by_one_until_it_is_released_or_expires() {
    let mut world = World::upgraded();
    add(&mut world, "lock", 1);
    let first = acquire(&mut world, "lock", "a", 1, 10).unwrap();
    let refusal = acquire(&mut world, "lock", "b", 1, 10).unwrap_err();
    assert!(refusal.kind == RefusalKind::Conflict && refusal.message.contains("held by a"), "{refusal}");
    world.now_ms += 9_000;
    assert_eq!(acquire(&mut world, "lock", "a", 1, 10).unwrap(), first, "the same owner has the same token");
    world.now_ms += 9_000;
    renew(&mut world, first, 10).unwrap();
    world.now_ms += 9_999;
    assert!(acquire(&mut world, "lock", "b", 1, 10).is_err());
    world.now_ms += 1;
    // Who comes late is refused even before somebody else took it.
    let refusal = renew(&mut world, first, 10).unwrap_err();
    assert!(refusal.message.contains("released or expired"), "{refusal}");
    let second = acquire(&mut world, "lock", "b", 1, 10).unwrap();
    assert!(second > first);
    let refusal = release(&mut world, first).unwrap_err();
    assert!(refusal.message.contains(&format!("held by b with token {second} now")), "{refusal}");
    release(&mut world, second).unwrap();
    assert!(lock(&world, "lock").holders.is_empty());
}

#[test]
fn a_semaphore_has_so_many_permits_and_is_not_cut_below_what_is_held() {
    let mut world = World::upgraded();
    add(&mut world, "lock", 3);
    acquire(&mut world, "lock", "a", 2, 60).unwrap();
    let refusal = acquire(&mut world, "lock", "b", 2, 60).unwrap_err();
    assert!(refusal.message.contains("1 are free"), "{refusal}");
    assert_eq!(acquire(&mut world, "lock", "b", 4, 60).unwrap_err().kind, RefusalKind::Invalid);
    assert!(acquire(&mut world, "lock", "a", 1, 60).unwrap_err().message.contains("holds 2 permits already"));
    acquire(&mut world, "lock", "b", 1, 60).unwrap();
    let target = Target::named("risk", "lock");
    let cut = |permits| {
        let (labels, annotations) = Default::default();
        Command::UpdateLock(UpdateLock { target: target.clone(), labels, annotations, permits })
    };
    assert!(world.run(cut(2)).unwrap_err().message.contains("3 permits of lock"));
    world.ok(cut(5));
    acquire(&mut world, "lock", "c", 2, 60).unwrap();
    assert!(world.run(Command::RemoveLock(RemoveLock { target: target.clone() })).is_err());
    world.now_ms += 60_000;
    world.ok(Command::Expire(Expire {}));
    assert!(lock(&world, "lock").holders.is_empty());
    world.ok(Command::RemoveLock(RemoveLock { target }));
}

#[derive(Clone, Debug)]
enum Step {
    Acquire { owner: u8, permits: u32, ttl_s: u64 },
    Renew { nth: u8, ttl_s: u64 },
    Release { nth: u8 },
    Permits(u32),
    Later { seconds: u64, expire: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..6_u8, 1..4_u32, 1..20_u64)
            .prop_map(|(owner, permits, ttl_s)| Step::Acquire { owner, permits, ttl_s }),
        2 => (any::<u8>(), 1..20_u64).prop_map(|(nth, ttl_s)| Step::Renew { nth, ttl_s }),
        2 => any::<u8>().prop_map(|nth| Step::Release { nth }),
        1 => (1..5_u32).prop_map(Step::Permits),
        3 => (0..10_u64, any::<bool>()).prop_map(|(seconds, expire)| Step::Later { seconds, expire }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn never_more_permits_are_held_than_there_are_and_tokens_grow(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::upgraded();
        add(&mut world, "lock", 2);
        let (mut tokens, mut newest): (Vec<(Revision, u64)>, _) = (Vec::new(), Revision(0));
        for step in steps {
            let before = lock(&world, "lock");
            match step {
                Step::Acquire { owner, permits, ttl_s } => {
                    let owner = format!("o{owner}");
                    if let Ok(token) = acquire(&mut world, "lock", &owner, permits, ttl_s) {
                        let held = before.holders.iter().any(|hold| hold.token == token);
                        prop_assert!(held || token > newest);
                        newest = newest.max(token);
                        tokens.push((token, world.now_ms + ttl_s * 1_000));
                        // Nobody else lost a grant whose time was not over.
                        let after = lock(&world, "lock");
                        for was in before.holders.iter().filter(|was| !was.is_expired(world.now_ms)) {
                            prop_assert!(after.holders.iter().any(|hold| hold.token == was.token));
                        }
                    }
                }
                Step::Renew { nth, ttl_s } => {
                    let Some((token, _)) = tokens.get(usize::from(nth) % tokens.len().max(1)).copied() else { continue };
                    let alive = before.holders.iter().any(|hold| hold.token == token && !hold.is_expired(world.now_ms));
                    prop_assert_eq!(renew(&mut world, token, ttl_s).is_ok(), alive);
                }
                Step::Release { nth } => {
                    let Some((token, _)) = tokens.get(usize::from(nth) % tokens.len().max(1)).copied() else { continue };
                    let alive = before.holders.iter().any(|hold| hold.token == token && !hold.is_expired(world.now_ms));
                    prop_assert_eq!(release(&mut world, token).is_ok(), alive);
                }
                Step::Permits(permits) => {
                    let (labels, annotations) = Default::default();
                    let target = Target::named("risk", "lock");
                    let _ = world.run(Command::UpdateLock(UpdateLock { target, labels, annotations, permits }));
                }
                Step::Later { seconds, expire } => {
                    world.now_ms += seconds * 1_000;
                    if expire {
                        world.ok(Command::Expire(Expire {}));
                    }
                }
            }
            let now = lock(&world, "lock");
            let held: u32 = now.holders.iter().map(|hold| hold.permits).sum();
            prop_assert!(held <= now.permits, "{held} of {} permits are held", now.permits);
        }
        world.now_ms += 60_000;
        world.ok(Command::Expire(Expire {}));
        prop_assert!(lock(&world, "lock").holders.is_empty());
    }
}
