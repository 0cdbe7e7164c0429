//! What is counted, in a registry of this server's own, and how it is shown.

mod flushes;
mod relays;

use crate::api::Api;
use crate::view;
use axum::http::{Method, StatusCode};
use flushes::Flushes;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use relays::Relays;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tallyman_model::query;
use tallyman_raft::Role;

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Upper ends of the buckets of request durations, in seconds.
const BUCKETS: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: &'static str,
    method: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
    method: &'static str,
}

type Durations = Family<Route, Histogram, fn() -> Histogram>;
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    class: &'static str,
}

/// What was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RefusedFor {
    pub(crate) class: &'static str,
    pub(crate) reason: &'static str,
}

/// Counts refusals.
pub(crate) type Refused = Family<RefusedFor, Counter>;

type Number = Gauge<u64, AtomicU64>;

/// The registry and what is in it.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Durations,
    /// Requests that were not let in.
    pub(crate) refused: Refused,
    watches: Gauge,
    under_way: Family<Class, Gauge>,
    bodies: Gauge,
    revision: Number,
    applied: Number,
    committed: Number,
    term: Number,
    leader: Gauge,
    lag: Gauge,
    round_trip: Gauge,
    stretch: Number,
    out_of_service: Gauge,
    ledger: Number,
    relays: Relays,
    disk_available: Number,
    disk_reserve: Number,
    disk_pressed: Gauge,
    submissions_refused: Gauge,
    group_version: Number,
    version_understood: Number,
    dead_letters: Gauge,
    paused: Gauge,
    paused_tenants: Gauge,
    brakes: Gauge,
    flushes: Flushes,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tallyman");
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            refused: Family::default(),
            watches: Gauge::default(),
            under_way: Family::default(),
            bodies: Gauge::default(),
            revision: Gauge::default(),
            applied: Gauge::default(),
            committed: Gauge::default(),
            term: Gauge::default(),
            leader: Gauge::default(),
            lag: Gauge::default(),
            round_trip: Gauge::default(),
            stretch: Number::default(),
            out_of_service: Gauge::default(),
            ledger: Gauge::default(),
            relays: Relays::default(),
            disk_available: Gauge::default(),
            disk_reserve: Gauge::default(),
            disk_pressed: Gauge::default(),
            submissions_refused: Gauge::default(),
            group_version: Gauge::default(),
            version_understood: Gauge::default(),
            dead_letters: Gauge::default(),
            paused: Gauge::default(),
            paused_tenants: Gauge::default(),
            brakes: Gauge::default(),
            flushes: Flushes::default(),
            registry: Registry::default(),
        };
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that answers", build);
        registry.register("api_requests", "Answered requests", metrics.requests.clone());
        let help = "Time until the head of the answer";
        registry.register_with_unit("api_request_duration", help, Unit::Seconds, metrics.durations.clone());
        registry.register("api_watches", "Open watch streams", metrics.watches.clone());
        let help = "Requests that were refused because too much was under way";
        registry.register("api_refused", help, metrics.refused.clone());
        let help = "Requests under way, of those whose number is bounded";
        registry.register("api_in_flight", help, metrics.under_way.clone());
        let help = "Bytes of large bodies that are held";
        registry.register_with_unit("api_bodies_held", help, Unit::Bytes, metrics.bodies.clone());
        registry.register("revision", "The newest revision of this replica", metrics.revision.clone());
        registry.register(
            "raft_applied_index",
            "Log index of the last applied entry",
            metrics.applied.clone(),
        );
        let help = "Log index up to which entries are known to be committed";
        registry.register("raft_committed_index", help, metrics.committed.clone());
        registry.register("raft_term", "The Raft term", metrics.term.clone());
        registry.register("raft_is_leader", "1 while this replica leads", metrics.leader.clone());
        let help = "How long ago this replica knew that it had everything, -1 if it never did";
        registry.register("replica_lag_ms", help, metrics.lag.clone());
        let help = "Round trip to the farthest of the other voters, -1 if none has answered";
        registry.register("raft_round_trip_us", help, metrics.round_trip.clone());
        let help = "What heartbeats, election timeouts and lease are stretched to, in per cent of the usual";
        registry.register("raft_stretch_percent", help, metrics.stretch.clone());
        let help = "1 while this replica answers nothing because it found something that must not be";
        registry.register("replica_out_of_service", help, metrics.out_of_service.clone());
        registry.register("ledger_records", "Records in the ledger", metrics.ledger.clone());
        let help = "The group's version: what all of its replicas understand";
        registry.register("group_version", help, metrics.group_version.clone());
        let help = "The highest version of a group that this replica's build understands";
        registry.register("group_version_understood", help, metrics.version_understood.clone());
        let help = "Runs that failed before a cluster took them and that nobody has retried or removed";
        registry.register("dead_letters", help, metrics.dead_letters.clone());
        registry.register("paused", "1 while nothing is sent to any cluster", metrics.paused.clone());
        let help = "Tenants for which nothing is sent";
        registry.register("paused_tenants", help, metrics.paused_tenants.clone());
        let help = "Clusters and tenants of which nothing more is stopped before somebody agrees";
        registry.register("brakes_engaged", help, metrics.brakes.clone());
        metrics.register_disk(&mut registry);
        metrics.relays.register(&mut registry);
        Self { registry, ..metrics }
    }

    fn register_disk(&self, registry: &mut Registry) {
        let help = "Bytes that can still be written beside the reserve";
        registry.register_with_unit("disk_available", help, Unit::Bytes, self.disk_available.clone());
        let help = "Bytes that are kept for when the disk is full";
        registry.register_with_unit("disk_reserve", help, Unit::Bytes, self.disk_reserve.clone());
        let help = "1 while too little space is left on the disk";
        registry.register("disk_pressed", help, self.disk_pressed.clone());
        let help = "1 while this replica leads and refuses new submissions, because disks are full";
        registry.register("submissions_refused", help, self.submissions_refused.clone());
        let help = "Time from when something waited for the log to be on disk until it was";
        registry.register_with_unit("log_flush_duration", help, Unit::Seconds, self.flushes.clone());
    }

    /// Counts an answered request.
    pub(crate) fn count(&self, route: &str, method: &Method, code: StatusCode, took: Duration) {
        let route = crate::route::ROUTES.iter().find(|known| **known == route).copied().unwrap_or("other");
        let method = match method.as_str() {
            "GET" => "GET",
            "POST" => "POST",
            "PATCH" => "PATCH",
            "PUT" => "PUT",
            "DELETE" => "DELETE",
            _ => "other",
        };
        self.requests.get_or_create(&Request { route, method, code: code.as_u16() }).inc();
        self.durations.get_or_create(&Route { route, method }).observe(took.as_secs_f64());
    }

    /// All metrics as text, with this replica's figures of now.
    pub(crate) fn text(&self, api: &Api) -> String {
        let status = api.backend().status();
        self.revision.set(api.backend().revision().0);
        self.applied.set(status.applied);
        self.committed.set(status.committed);
        self.term.set(status.term);
        self.leader.set(i64::from(status.role == Role::Leader));
        self.lag.set(api.backend().lag_ms().map_or(-1, |lag_ms| i64::try_from(lag_ms).unwrap_or(i64::MAX)));
        self.round_trip.set(status.round_trip_us.map_or(-1, |us| i64::try_from(us).unwrap_or(i64::MAX)));
        self.stretch.set(status.stretch_percent);
        self.out_of_service.set(i64::from(status.fatal.is_some()));
        self.ledger.set(api.backend().ledger_head().0);
        self.flushes.set(api.backend().flush_times());
        self.relays.set(status.relaying);
        self.disk_available.set(status.disk.available_bytes);
        self.disk_reserve.set(status.disk.reserve_bytes);
        self.disk_pressed.set(i64::from(status.disk.is_pressed));
        self.submissions_refused.set(i64::from(status.refuses_submissions.is_some()));
        let meta = view::with(api.backend(), None, |view, _| query::meta(view)).unwrap_or_default();
        self.group_version.set(meta.version.into());
        self.brakes.set(i64::try_from(meta.engaged().count()).unwrap_or(i64::MAX));
        self.paused.set(i64::from(meta.paused.is_some()));
        self.paused_tenants.set(i64::try_from(meta.paused_tenants.len()).unwrap_or(i64::MAX));
        self.version_understood.set(status.understands.into());
        let dead = view::with(api.backend(), None, |view, _| query::dead_letters(view, usize::MAX));
        self.dead_letters.set(dead.map_or(0, |dead| i64::try_from(dead).unwrap_or(i64::MAX)));
        for (class, count) in api.overload.under_way() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.under_way.get_or_create(&Class { class }).set(count);
            if class == crate::overload::WATCHES {
                self.watches.set(count);
            }
        }
        self.bodies.set(i64::try_from(api.overload.bodies_bytes()).unwrap_or(i64::MAX));
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "failed to write the metrics");
        }
        text
    }
}
