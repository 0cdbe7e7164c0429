//! Against real Kubernetes control planes, built by `tests/realkube/realkube build`. Needs Go, so it is asked for:
//! `cargo test --test realkube -- --ignored --test-threads 4`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "realkube/admission.rs"]
mod admission;
#[path = "realkube/apiserver.rs"]
mod apiserver;
#[path = "realkube/beside.rs"]
mod beside;
#[path = "realkube/client_go.rs"]
mod client_go;
#[path = "realkube/compacted.rs"]
mod compacted;
#[path = "realkube/control.rs"]
mod control;
#[path = "realkube/definition.rs"]
mod definition;
#[path = "realkube/deleted.rs"]
mod deleted;
#[path = "realkube/deployable.rs"]
mod deployable;
#[path = "system/dev.rs"]
mod dev;
#[path = "realkube/diagnoses.rs"]
mod diagnoses;
#[path = "realkube/example.rs"]
mod example;
#[path = "realkube/failovers.rs"]
mod failovers;
#[path = "realkube/foreign.rs"]
mod foreign;
#[path = "realkube/front.rs"]
mod front;
#[path = "realkube/gone.rs"]
mod gone;
#[path = "realkube/hub.rs"]
mod hub;
#[path = "realkube/inventory.rs"]
mod inventory;
#[path = "bench/machine.rs"]
mod machine;
#[path = "realkube/marks.rs"]
mod marks;
#[path = "realkube/namespace.rs"]
mod namespace;
#[path = "realkube/night.rs"]
mod night;
#[path = "realkube/quota.rs"]
mod quota;
#[path = "realkube/requests.rs"]
mod requests;
#[path = "realkube/rights.rs"]
mod rights;
#[path = "system/servers.rs"]
mod servers;
#[path = "realkube/stage.rs"]
mod stage;
#[path = "realkube/strays.rs"]
mod strays;
#[path = "realkube/ttl.rs"]
mod ttl;
#[path = "realkube/workflow.rs"]
mod workflow;
