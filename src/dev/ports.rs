//! Ports that are free, and stay free for as long as the replica that has them is down.

use crate::env::Machine;
use crate::exit::{Exit, Failure};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use tallyman_model::Env as _;

/// The first ports that are tried for the APIs, then those ten further on, and so on: neighbours are easy to remember.
const API_FIRST: u16 = 7001;
const API_STEP: usize = 10;
const API_LAST: u16 = 7901;
/// Ports below those that the system gives to outgoing connections: one of these could take a port while its replica
/// is down, and a replica that dials a peer that is down could reach itself.
const FREE: std::ops::Range<u16> = 10_000..32_000;
/// Ports that are tried.
const TRIES_MAX: u16 = 2_000;

/// A port that nobody else takes. Its replica listens on the TCP side; the UDP side stays with us for as long as
/// `dev` lives, and marks the port as taken for every other `dev` while the replica is down.
#[derive(Debug)]
pub(super) struct Port {
    listener: TcpListener,
    mark: UdpSocket,
}

impl Port {
    /// The address.
    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn bind(port: u16) -> std::io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { mark: UdpSocket::bind(address)?, listener: TcpListener::bind(address)? })
    }
}

/// The ports of one replica.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) api: Port,
    pub(super) peer: Port,
}

impl Held {
    /// Lets the replica listen; the marks stay until they are dropped.
    pub(super) fn let_listen(self) -> [UdpSocket; 2] {
        [self.api.mark, self.peer.mark]
    }
}

/// Addresses for `count` replicas: neighbouring API ports, from `api_port` on or the well-known ones if they are free. Peer
/// ports ascend and have equally many digits, so that their order as texts is that of the replicas.
///
/// # Errors
/// No free ports, or not those that were asked for.
pub(super) fn free(count: u16, api_port: Option<u16>) -> Result<Vec<Held>, Failure> {
    let width = FREE.end - FREE.start;
    let start = FREE.start + u16::try_from(Machine.number() % u64::from(width / 2)).unwrap_or(0);
    let mut ports = start..start.saturating_add(TRIES_MAX);
    let mut peers = Vec::new();
    while peers.len() < usize::from(count) {
        peers.push(next(&mut ports)?);
    }
    let apis = match api_port.map(|first| asked(first, count)).transpose()?.or_else(|| neighbours(count)) {
        Some(apis) => apis,
        None => (0..count).map(|_| next(&mut ports)).collect::<Result<_, _>>()?,
    };
    Ok(apis.into_iter().zip(peers).map(|(api, peer)| Held { api, peer }).collect())
}

fn asked(first: u16, count: u16) -> Result<Vec<Port>, Failure> {
    let bind = |port| {
        Port::bind(port).map_err(|error| {
            let message = format!("failed to listen on 127.0.0.1:{port}: {error}");
            Failure::new(Exit::Failed, message, "stop what listens there, or name another --api-port")
        })
    };
    (first..first + count).map(bind).collect()
}

fn neighbours(count: u16) -> Option<Vec<Port>> {
    let all =
        |first: u16| (first..first + count).map(|port| Port::bind(port).ok()).collect::<Option<Vec<_>>>();
    (API_FIRST..=API_LAST).step_by(API_STEP).find_map(all)
}

fn next(ports: &mut std::ops::Range<u16>) -> Result<Port, Failure> {
    ports.find_map(|port| Port::bind(port).ok()).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "no free port was found on 127.0.0.1",
            "stop what else listens on this machine",
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ports_differ_and_peers_sort_as_texts_like_their_replicas() {
        let held = free(5, None).unwrap();
        let peers: Vec<String> = held.iter().map(|held| held.peer.address().unwrap().to_string()).collect();
        assert!(peers.is_sorted());
        let mut all: Vec<u16> = held
            .iter()
            .flat_map(|held| [&held.api, &held.peer].map(|one| one.address().unwrap().port()))
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn a_port_whose_replica_is_down_is_taken_for_everybody_else() {
        let held = free(1, None).unwrap().remove(0);
        let port = held.api.address().unwrap().port();
        let _marks = held.let_listen();
        assert!(Port::bind(port).is_err());
        assert_eq!(free(1, Some(port)).unwrap_err().exit, Exit::Failed);
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(), "the replica itself can listen");
    }
}
