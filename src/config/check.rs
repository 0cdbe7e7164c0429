//! From what stands in the file to what a replica can start with.

use super::file::{At, Raw, RawTls};
use super::{Config, Overrides, Problem, Tls, join};
use crate::environment;
use std::net::SocketAddr;
use std::path::Path;
use tallyman_model::limits::REPLICAS_MAX;
use tallyman_model::manifest::names;

/// The configuration, if everything that it needs is there; what is wrong goes to `problems`.
pub(super) fn build(
    raw: Raw,
    dir: &Path,
    overrides: &Overrides,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let mut check = Check { problems };
    let group = check.name("group", raw.group);
    let datacenter = check.name("datacenter", overridden(&overrides.datacenter, raw.datacenter));
    let data_dir = check.required("data_dir", raw.data_dir, "where the replica keeps everything");
    let api_listen = check.address("api_listen", raw.api_listen);
    let peer_listen = check.address("peer_listen", raw.peer_listen);
    if let (Some(api), Some(peer)) = (&api_listen, &peer_listen)
        && api.value == peer.value
    {
        check.fault(
            Some(peer.line),
            "`peer_listen` must not be `api_listen`: each listener needs a port of its own",
        );
    }
    let advertise = check.advertise(overridden(&overrides.advertise, raw.advertise), peer_listen.as_ref());
    let peers_line = raw.peers.as_ref().map(|peers| peers.line);
    let peers = check.peers(raw.peers);
    if let (Some(host), Some(listen), Some(peers)) = (&advertise, &peer_listen, &peers)
        && !peers.contains(&join(host, listen.value.port()))
    {
        let own = join(host, listen.value.port());
        check.fault(peers_line, format!("`peers` must list this replica too: it advertises {own:?}"));
    }
    let tls = raw.tls.map(|tls| check.tls(tls, dir));
    let beside = |file: Option<At<String>>| file.map(|file| dir.join(file.value));
    let tokens_file = beside(raw.tokens_file);
    let snapshot_log_bytes = overrides.snapshot_log_bytes.as_ref().map(|text| check.bytes(text));
    for (key, listen) in [("api_listen", &api_listen), ("peer_listen", &peer_listen)] {
        check.fenced(key, listen.as_ref(), tls.is_some(), tokens_file.is_some());
    }
    Some(Config {
        group: group?,
        datacenter: datacenter?,
        data_dir: dir.join(data_dir?),
        api_listen: api_listen?.value,
        peer_listen: peer_listen?.value,
        advertise: advertise?,
        peers: peers?,
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
        tokens_file,
        cluster_credentials_dir: beside(raw.cluster_credentials_dir),
        cluster_provider_file: beside(raw.cluster_provider_file),
        snapshot_log_bytes: match snapshot_log_bytes {
            Some(bytes) => Some(bytes?),
            None => None,
        },
    })
}

/// The files that it names can be read.
pub(super) fn files(config: &Config) -> Vec<Problem> {
    let tls = config
        .tls
        .iter()
        .flat_map(|tls| [("tls.cert", &tls.cert), ("tls.key", &tls.key), ("tls.ca", &tls.ca)]);
    let others = [
        ("tokens_file", &config.tokens_file),
        ("cluster_credentials_dir", &config.cluster_credentials_dir),
        ("cluster_provider_file", &config.cluster_provider_file),
    ];
    let named = tls.chain(others.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?))));
    let fault = |(key, path): (&str, &std::path::PathBuf)| {
        let error = std::fs::File::open(path).err()?;
        Some(Problem { line: None, message: format!("failed to read `{key}` {}: {error}", path.display()) })
    };
    named.filter_map(fault).collect()
}

/// The environment's value has no line in the file.
fn overridden(environment: &Option<String>, file: Option<At<String>>) -> Option<At<String>> {
    environment.clone().map(|value| At { line: 0, value }).or(file)
}

struct Check<'a> {
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn fault(&mut self, line: Option<usize>, message: impl Into<String>) {
        self.problems.push(Problem { line: line.filter(|line| *line > 0), message: message.into() });
    }

    fn required(&mut self, key: &str, text: Option<At<String>>, what: &str) -> Option<String> {
        match text {
            Some(text) if text.value.trim().is_empty() => {
                self.fault(Some(text.line), format!("`{key}` is empty; it says {what}"));
                None
            }
            Some(text) => Some(text.value),
            None => {
                self.fault(None, format!("`{key}` is missing; it says {what}"));
                None
            }
        }
    }

    fn bytes(&mut self, text: &str) -> Option<u64> {
        let bytes = text.parse().ok().filter(|bytes| *bytes > 0);
        if bytes.is_none() {
            let key = environment::SNAPSHOT_LOG_BYTES;
            self.fault(None, format!("{key} is {text:?}; it must be a number of bytes above 0"));
        }
        bytes
    }

    fn name(&mut self, key: &str, text: Option<At<String>>) -> Option<String> {
        let line = text.as_ref().map(|text| text.line);
        let name = self.required(key, text, &format!("the {key}'s name"))?;
        if let Err(why) = names::label(&name) {
            self.fault(line, format!("`{key}` {name:?}: {why}"));
            return None;
        }
        Some(name)
    }

    fn address(&mut self, key: &str, text: Option<At<String>>) -> Option<At<SocketAddr>> {
        let line = text.as_ref().map(|text| text.line).unwrap_or_default();
        let text = self.required(key, text, "where to listen, as \"127.0.0.1:7001\"")?;
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Some(At { line, value: address }),
            Ok(_) => {
                self.fault(Some(line), format!("`{key}` needs a port that stays the same, not 0"));
                None
            }
            Err(_) => {
                let message =
                    format!("`{key}` must be an IP address and a port, as \"127.0.0.1:7001\", not {text:?}");
                self.fault(Some(line), message);
                None
            }
        }
    }

    /// Without a value: the address that it listens on, where others can use that.
    fn advertise(&mut self, text: Option<At<String>>, listen: Option<&At<SocketAddr>>) -> Option<String> {
        let Some(text) = text else {
            let ip = listen?.value.ip();
            if ip.is_unspecified() {
                self.fault(None, "`advertise` is missing; it says by which host others reach this replica");
                return None;
            }
            return Some(ip.to_string());
        };
        let host = text.value;
        let is_ipv6 = host.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok();
        if host.is_empty() || host.contains(['/', ' ']) || (host.contains(':') && !is_ipv6) {
            let message = format!(
                "`advertise` must be a host name or an IP address, not {host:?}: no scheme and no port, the ports are \
                 those of api_listen and peer_listen"
            );
            self.fault(Some(text.line), message);
            return None;
        }
        Some(host)
    }

    fn peers(&mut self, peers: Option<At<Vec<String>>>) -> Option<Vec<String>> {
        let Some(peers) = peers else {
            self.fault(None, "`peers` is missing; it lists host:port of the peer listener of every replica");
            return None;
        };
        let before = self.problems.len();
        let mut seen = std::collections::BTreeSet::new();
        for peer in &peers.value {
            let port = peer.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains('/'));
            if !port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port != 0)) {
                self.fault(Some(peers.line), format!("`peers`: {peer:?} must be host:port"));
            }
            if !seen.insert(peer) {
                self.fault(Some(peers.line), format!("`peers`: {peer:?} is listed twice"));
            }
        }
        if peers.value.is_empty() || peers.value.len() > REPLICAS_MAX {
            self.fault(
                Some(peers.line),
                format!("`peers` must list 1 to {REPLICAS_MAX} replicas; 3 or 5 are usual"),
            );
        }
        (self.problems.len() == before).then_some(peers.value)
    }

    fn tls(&mut self, tls: At<RawTls>, dir: &Path) -> Option<Tls> {
        let cert = self.required("tls.cert", tls.value.cert, "the file with the certificate");
        let key = self.required("tls.key", tls.value.key, "the file with the key");
        let ca = self.required("tls.ca", tls.value.ca, "the file with the authority's certificate");
        Some(Tls { cert: dir.join(cert?), key: dir.join(key?), ca: dir.join(ca?) })
    }

    /// Off loopback only with TLS and authentication.
    fn fenced(&mut self, key: &str, listen: Option<&At<SocketAddr>>, has_tls: bool, has_tokens: bool) {
        let Some(listen) = listen.filter(|listen| !listen.value.ip().is_loopback()) else { return };
        let missing = match (has_tls, has_tokens) {
            (true, true) => return,
            (false, true) => "`tls` is missing",
            (true, false) => "`tokens_file` is missing",
            (false, false) => "`tls` and `tokens_file` are missing",
        };
        let message = format!(
            "`{key}` {} can be reached from other machines, and {missing}: set both, or listen on 127.0.0.1",
            listen.value
        );
        self.fault(Some(listen.line), message);
    }
}
