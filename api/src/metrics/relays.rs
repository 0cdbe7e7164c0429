//! Connections to clusters that are relayed here. They are counted where they are relayed.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::{AtomicU64, Ordering};
use tallyman_raft::Relaying;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Relays {
    open: Gauge<u64, AtomicU64>,
    refused: Counter,
    bytes: Family<Direction, Counter>,
}

impl Relays {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Connections to clusters that this replica relays for the leader";
        registry.register("relays", help, self.open.clone());
        let help = "Connections to clusters that the leader asked for and that were not opened";
        registry.register("relays_refused", help, self.refused.clone());
        let help = "Bytes that this replica passed on to clusters (sent), and from them (received)";
        registry.register_with_unit("relayed", help, Unit::Bytes, self.bytes.clone());
    }

    pub(super) fn set(&self, relaying: Relaying) {
        self.open.set(relaying.open);
        self.refused.inner().store(relaying.refused, Ordering::Relaxed);
        for (direction, bytes) in [("sent", relaying.sent_bytes), ("received", relaying.received_bytes)] {
            self.bytes.get_or_create(&Direction { direction }).inner().store(bytes, Ordering::Relaxed);
        }
    }
}
