//! Over random histories, faults and crashes: what was committed is the cluster's state.

use super::rules::item;
use super::*;
use crate::ObjectKey;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};

type Live = BTreeMap<ObjectKey, u64>;

/// A cluster with its whole history, of which it still tells a part.
struct Server {
    version: u64,
    /// The state at each version since the beginning of the timeline.
    history: BTreeMap<u64, Live>,
    /// (version, change).
    events: Vec<(u64, Change)>,
    compacted: u64,
}

impl Server {
    fn new() -> Self {
        Self { version: 10, history: BTreeMap::from([(10, Live::new())]), events: Vec::new(), compacted: 10 }
    }

    fn now(&self) -> &Live {
        &self.history[&self.version]
    }

    fn write(&mut self, object: u8, delete: bool) {
        let mut live = self.now().clone();
        let name = format!("o{object}");
        let known = live.keys().find(|key| key.name == name).cloned();
        if delete && known.is_none() {
            return;
        }
        self.version += 1;
        let uid = known.as_ref().map_or_else(|| format!("u{}", self.version), |key| key.uid.clone());
        let item = item(&name, &uid, self.version);
        let key = ObjectKey::of(&item);
        let change = if delete { Change::Deleted(item) } else { Change::Seen(item) };
        if delete {
            live.remove(&key)
        } else {
            live.insert(key, self.version)
        };
        self.events.push((self.version, change));
        self.history.insert(self.version, live);
    }

    /// Another etcd, from a backup: fewer versions, other objects.
    fn restore(&mut self, steps: u64) {
        self.version = self.version.saturating_sub(steps).max(10);
        let version = self.version;
        self.history.retain(|&at, _| at <= version);
        self.events.retain(|&(at, _)| at <= version);
        self.compacted = version;
    }

    fn page(&self, at: u64, after: Option<&str>, limit: u32) -> (Vec<(ObjectKey, u64)>, bool) {
        let live =
            self.history[&at].iter().filter(|(key, _)| after.is_none_or(|after| key.name.as_str() > after));
        let mut all: Vec<_> = live.map(|(key, &version)| (key.clone(), version)).collect();
        let more = all.len() > limit as usize;
        all.truncate(limit as usize);
        (all, more)
    }
}

/// What the log has.
#[derive(Default)]
struct Log {
    stored: Option<Stored>,
    timeline: u32,
    objects: Live,
}

impl Log {
    fn commit(&mut self, emission: &Emission, server: &Server) {
        if emission.timeline > self.timeline {
            self.timeline = emission.timeline;
            self.stored = None;
        }
        for change in &emission.changes {
            let version = change.item().resource_version.parse().unwrap_or(0);
            match change {
                Change::Seen(item) => self.objects.insert(ObjectKey::of(item), version),
                Change::Deleted(item) => self.objects.remove(&ObjectKey::of(item)),
            };
        }
        if let Some(listed) = &emission.listed {
            // What the listing did not name is read by name.
            let live: BTreeSet<&ObjectKey> = server.now().keys().collect();
            self.objects.retain(|key, _| listed.contains(key) || live.contains(key));
        }
        if let Some(cursor) = &emission.cursor {
            self.stored = Some(Stored { cursor: cursor.clone(), timeline: emission.timeline });
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Write {
        object: u8,
        delete: bool,
    },
    /// The server answers what was asked of it, or sends the next event.
    Serve,
    /// It answers with a failure.
    Fail(Failure),
    Bookmark,
    EndWatch,
    Compact,
    Commit,
    RefuseCommit,
    Crash,
    Pass {
        ms: u64,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let failure = prop_oneof![
        Just(Failure::Expired),
        Just(Failure::Behind),
        Just(Failure::Denied),
        Just(Failure::TooLong),
        Just(Failure::HeldBack),
        Just(Failure::TooMany { wait_ms: 500 }),
        Just(Failure::Transient),
    ];
    prop_oneof![
        6 => (0..6u8, prop::bool::weighted(0.3)).prop_map(|(object, delete)| Write { object, delete }),
        10 => Just(Serve),
        1 => failure.prop_map(Fail),
        1 => Just(Bookmark),
        1 => Just(EndWatch),
        1 => Just(Compact),
        6 => Just(Commit),
        1 => Just(RefuseCommit),
        1 => Just(Crash),
        4 => (1..5_000u64).prop_map(|ms| Pass { ms }),
    ]
}

struct World {
    server: Server,
    log: Log,
    machine: State,
    now_ms: u64,
    tick_ms: Option<u64>,
    /// (generation, version of the listing, name after which the page starts, limit).
    list: Option<(u64, Option<u64>, Option<String>, u32)>,
    /// (number, version reached).
    watch: Option<(u64, u64)>,
    pending: VecDeque<Emission>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            server: Server::new(),
            log: Log::default(),
            machine: State::new(2, 0),
            now_ms: 0,
            tick_ms: None,
            list: None,
            watch: None,
            pending: VecDeque::new(),
        };
        world.crash();
        world
    }

    fn crash(&mut self) {
        (self.list, self.watch, self.tick_ms) = (None, None, None);
        self.pending.clear();
        self.machine = State::new(2, self.now_ms);
        let input = Input::Start { stored: self.log.stored.clone(), timeline: self.log.timeline };
        self.feed(input);
    }

    fn feed(&mut self, input: Input) {
        let (machine, actions) = step(self.machine.clone(), self.now_ms, input);
        self.machine = machine;
        for action in actions {
            match action {
                Action::List { listing, continue_token, limit } => {
                    let (version, after) = match continue_token {
                        Some(token) => token.split_once('/').map_or((None, None), |(version, name)| {
                            (version.parse().ok(), Some(name.to_owned()))
                        }),
                        None => (None, None),
                    };
                    self.list = Some((listing, version, after, limit));
                }
                Action::Watch { watch, from } => self.watch = Some((watch, from.parse().unwrap_or(0))),
                Action::CloseWatch => self.watch = None,
                Action::Emit(emission) => self.pending.push_back(emission),
                Action::DropPending => self.pending.clear(),
                Action::Rewound { .. } => {}
                Action::Wait { until_ms } => self.tick_ms = Some(until_ms),
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Write { object, delete } => self.server.write(object, delete),
            Happening::Serve => self.serve(),
            Happening::Fail(failure) => self.fail(failure),
            Happening::Bookmark => self.bookmark(),
            Happening::EndWatch => {
                if let Some((watch, _)) = self.watch.take() {
                    self.feed(Input::WatchEnded { watch });
                }
            }
            Happening::Compact => self.server.compacted = self.server.version,
            Happening::Commit => self.commit(),
            Happening::RefuseCommit => {
                if !self.pending.is_empty() {
                    self.feed(Input::CommitRefused { wait_ms: 10 });
                }
            }
            Happening::Crash => self.crash(),
            Happening::Pass { ms } => {
                self.now_ms += ms;
                if self.tick_ms.is_some_and(|at| at <= self.now_ms) {
                    self.tick_ms = None;
                    self.feed(Input::Tick);
                }
            }
        }
    }

    fn serve(&mut self) {
        if let Some((listing, version, after, limit)) = self.list.take() {
            let version = version.unwrap_or(self.server.version);
            if version < self.server.compacted {
                return self.feed(Input::ListFailed { listing, failure: Failure::Expired });
            }
            let (objects, more) = self.server.page(version, after.as_deref(), limit);
            let last = objects.last().map(|(key, _)| key.name.clone()).unwrap_or_default();
            let items = objects.iter().map(|(key, version)| item(&key.name, &key.uid, *version)).collect();
            let continue_token = more.then(|| format!("{version}/{last}"));
            let resource_version = version.to_string();
            return self.feed(Input::Page { listing, items, resource_version, continue_token });
        }
        let Some((watch, reached)) = self.watch else { return };
        if reached < self.server.compacted && reached < self.server.version {
            self.watch = None;
            return self.feed(Input::WatchFailed { watch, failure: Failure::Expired });
        }
        let next = self.server.events.iter().find(|(version, _)| *version > reached).cloned();
        if let Some((version, change)) = next {
            self.watch = Some((watch, version));
            self.feed(Input::Event { watch, change });
        }
    }

    fn fail(&mut self, failure: Failure) {
        if let Some((listing, ..)) = self.list.take() {
            self.feed(Input::ListFailed { listing, failure });
        } else if let Some((watch, _)) = self.watch.take() {
            self.feed(Input::WatchFailed { watch, failure });
        }
    }

    fn bookmark(&mut self) {
        let Some((watch, reached)) = self.watch else { return };
        // Bookmarks never pass over events that were not sent.
        let unsent = self.server.events.iter().any(|(version, _)| *version > reached);
        if !unsent && reached >= self.server.compacted {
            let resource_version = self.server.version.max(reached).to_string();
            self.feed(Input::Passed { watch, resource_version, bookmark: true });
        }
    }

    fn commit(&mut self) {
        let Some(emission) = self.pending.pop_front() else { return };
        self.log.commit(&emission, &self.server);
        self.feed(Input::Committed { through: emission.number, cursor: emission.cursor });
    }

    /// Each object in the log is as it was at some version not older than the cursor, or is newer.
    fn check(&self) -> Result<(), TestCaseError> {
        let Some(stored) = &self.log.stored else { return Ok(()) };
        let Ok(cursor) = stored.cursor.parse::<u64>() else { return Ok(()) };
        prop_assert!(self.server.history.contains_key(&cursor), "cursor {cursor} was never a version");
        let since: Vec<&Live> = self.server.history.range(cursor..).map(|(_, live)| live).collect();
        let keys: BTreeSet<&ObjectKey> =
            self.log.objects.keys().chain(since.iter().flat_map(|live| live.keys())).collect();
        for key in keys {
            let ours = self.log.objects.get(key);
            let fits = since.iter().any(|live| live.get(key) == ours);
            prop_assert!(fits, "{key:?} is {ours:?} in the log, which it was not at {cursor} or later");
        }
        Ok(())
    }

    /// Without further faults the log comes to hold what the server holds.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for round in 0..2_000u64 {
            for happening in [Happening::Serve, Happening::Commit, Happening::Pass { ms: 1_000 }] {
                self.happen(happening);
            }
            if let (Some((watch, reached)), true) = (self.watch, round % 50 == 7) {
                let resource_version = self.server.version.to_string();
                if reached > self.server.version {
                    self.feed(Input::Probed { watch, resource_version });
                }
            }
        }
        prop_assert_eq!(&self.log.objects, self.server.now());
        Ok(())
    }
}

/// Another seed each time, printed with a failure; `PROPTEST_RNG_SEED` sets it.
#[expect(clippy::print_stderr, reason = "shown only with a failure")]
fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(RandomState::new().build_hasher().finish());
    }
    eprintln!("PROPTEST_RNG_SEED={}", config.rng_seed);
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_committed_was_true_at_the_cursor_or_later(happenings in prop::collection::vec(happening(), 0..250)) {
        let mut world = World::new();
        for happening in happenings {
            world.happen(happening);
            world.check()?;
        }
        world.settle()?;
    }

    #[test]
    fn a_restored_cluster_ends_as_it_is_and_not_as_it_was(
        before in prop::collection::vec(happening(), 0..150),
        steps in 1..20u64,
        after in prop::collection::vec(happening(), 0..150),
    ) {
        let mut world = World::new();
        for happening in before {
            world.happen(happening);
        }
        world.happen(Happening::EndWatch);
        world.list = None;
        world.crash();
        world.server.restore(steps);
        // The first thing that a watch does is to ask how far the server has come.
        if let Some((watch, _)) = world.watch {
            let resource_version = world.server.version.to_string();
            world.feed(Input::Probed { watch, resource_version });
        }
        while !world.pending.is_empty() {
            world.happen(Happening::Commit);
        }
        for happening in after {
            world.happen(happening);
        }
        world.settle()?;
    }
}
