//! What happens to replicas, told to whoever watches: who was lost, for how long writes paused, who is back.

use super::replica::{Event, How};
use super::{World, leadership};
use crate::exit::{Exit, Failure};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A replica that ends so often, and for so long, before the group serves will not come up. One that was killed with
/// its `dev` may hold its ports and files for a moment.
const FAILURES_MAX: usize = 3;
const FAILURES_MS_MIN: u64 = 2000;
/// How often a replica that is back is asked whether it has caught up.
const CATCH_UP_TRIES_MAX: u32 = 20;

/// Tells what happens.
pub(super) struct News {
    world: Arc<World>,
    inbox: mpsc::Receiver<Event>,
}

impl News {
    pub(super) fn new(world: Arc<World>, inbox: mpsc::Receiver<Event>) -> Self {
        Self { world, inbox }
    }

    /// Ready only when a replica cannot come up at all.
    pub(super) async fn first_failures(&mut self) -> Failure {
        let mut failures = HashMap::new();
        while let Some(event) = self.inbox.recv().await {
            if let Event::Ended { slot, how, at, .. } = event {
                let (count, first) = failures.entry(slot).or_insert((0, at));
                *count += 1;
                if *count >= FAILURES_MAX && at - *first >= Duration::from_millis(FAILURES_MS_MIN) {
                    let message = format!("{} does not come up: {}", self.world.state.id(slot), how.words);
                    let attempt = match how.attempt.as_str() {
                        "" => "look into DIR/rN/server.log (--dir DIR keeps it)",
                        attempt => attempt,
                    };
                    return Failure::new(Exit::Failed, message, attempt);
                }
            }
        }
        std::future::pending().await
    }

    /// Tells what happens from now on.
    pub(super) async fn run(mut self) {
        let mut telling = JoinSet::new();
        let world = Arc::clone(&self.world);
        telling.spawn(async move { leadership::look(&world).await });
        while let Some(event) = self.inbox.recv().await {
            let world = Arc::clone(&self.world);
            match event {
                // What goes wrong again and again is told once.
                Event::Ended { is_repeated: true, .. } => {}
                Event::Ended { slot, pid, how, at, .. } => {
                    if tell_lost(&world, slot, pid, &how) {
                        telling.spawn(async move { pause(&world, slot, at).await });
                    }
                }
                Event::Started { slot, pid, is_repeated, at } => {
                    if !is_repeated {
                        let line = format!("{} started again   pid {pid}", world.state.id(slot));
                        world.board.line(None, &line);
                    }
                    telling.spawn(async move { back(&world, slot, pid, at).await });
                }
            }
        }
    }
}

/// True if the leader was lost.
fn tell_lost(world: &World, slot: usize, pid: u32, how: &How) -> bool {
    let (id, screen) = (world.state.id(slot), world.board.screen);
    let was_leader = world.state.leader().is_some_and(|leader| leader == id);
    let role = if was_leader { "the leader" } else { "a follower" };
    world.board.line(None, &screen.yellow(&format!("{id} {}   {role}, pid {pid}", how.words)));
    if !how.attempt.is_empty() {
        world.board.line(None, &screen.yellow(&format!("           try: {}", how.attempt)));
    }
    was_leader
}

/// Tells for how long there was no leader.
async fn pause(world: &World, slot: usize, at: Instant) {
    let screen = world.board.screen;
    // A linearizable answer means that a new leader has committed with a quorum: it takes writes.
    loop {
        if leadership::quorum(world, Some(slot)).await.is_ok() {
            let paused = at.elapsed().as_secs_f64();
            let leader = leadership::leads_now(world).await.unwrap_or_else(|| "another".to_owned());
            world
                .board
                .line(None, &format!("writes paused {paused:.2} s; {} leads now", screen.bold(&leader)));
            return;
        }
        world.board.line(None, &screen.red("writes are paused: no quorum"));
    }
}

async fn back(world: &World, slot: usize, pid: u32, at: Instant) {
    let screen = world.board.screen;
    let mut newest = None;
    for _ in 0..CATCH_UP_TRIES_MAX {
        let now = world.state.replica(slot);
        if now.pid != pid || !now.is_up {
            return;
        }
        if newest.is_none() {
            newest = leadership::quorum(world, None).await.ok();
        }
        let Some(revision) = newest else { continue };
        if leadership::caught_up(world, slot, revision).await.is_ok() {
            let seconds = at.elapsed().as_secs_f64();
            let line = format!("{} caught up at rev {revision} after {seconds:.2} s", world.state.id(slot));
            return world.board.line(None, &screen.green(&line));
        }
    }
    world.board.line(None, &screen.red(&format!("{} has not caught up yet", world.state.id(slot))));
}
