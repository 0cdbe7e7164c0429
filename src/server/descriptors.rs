//! File descriptors: a connection takes one, and without one left a replica can open no log file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tallyman_api::{Bounds, Limits};

/// What is kept for files, peers and clusters, relayed connections to clusters among them.
const KEPT: usize = 2_048;
/// Connections that are relayed at most: each holds some 100 KiB.
const RELAYS_MAX: usize = 512;

/// Takes as many descriptors as this process may have, and bounds connections, and the watches on them, so that
/// enough are left. Third: how many connections to clusters are relayed.
pub(super) fn bounds() -> (Limits, Bounds, usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let descriptors = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let (mut limits, mut bounds, mut relays_max) = (Limits::default(), Bounds::default(), RELAYS_MAX);
    if let Some(descriptors) = descriptors {
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let (connections, spares) = shares(descriptors);
        // Each takes two, and as many stay for all else that is kept.
        relays_max = relays_max.min((descriptors - connections - spares) / 4);
        limits.connections_max = limits.connections_max.min(connections);
        limits.spares_max = limits.spares_max.min(spares);
    }
    bounds.watches_max = bounds.watches_max.min(limits.connections_max / 4 * 3);
    (limits, bounds, relays_max)
}

/// How many descriptors connections may take, and spare ones.
fn shares(descriptors: usize) -> (usize, usize) {
    let left = descriptors.saturating_sub(KEPT).max(descriptors / 2);
    (left - left / 8, left / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_few_descriptors_and_all_but_some_of_many_are_for_connections() {
        assert_eq!(shares(1_024), (448, 64));
        assert_eq!(shares(20_000), (17_952 - 2_244, 2_244));
    }
}
