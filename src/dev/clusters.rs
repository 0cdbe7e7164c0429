//! The clusters of `dev`: simulated ones in this process, or real ones.

use super::Dev;
use super::kubeconfig::{self, Real};
use super::layout::{self, Layout};
use crate::exit::{Exit, Failure};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tallyman_chaos::{SimulatedCluster, SimulatedClusterOptions, StartError};

/// What the first clusters are called.
const NAMES: [&str; 4] = ["east", "west", "north", "south"];
/// Simulated clusters when nobody says, and no real ones are given.
const SIMULATED_DEFAULT: u16 = 2;
/// Part of the name by which Tallyman's requests are known.
const USER_AGENT: &str = "tallyman";

/// One cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) server: String,
    pub(super) kubeconfig: PathBuf,
    pub(super) context: Option<String>,
    simulated: Option<SimulatedCluster>,
}

impl Cluster {
    pub(super) fn is_simulated(&self) -> bool {
        self.simulated.is_some()
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Clusters(pub(super) Vec<Cluster>);

impl Clusters {
    /// Starts the simulated ones, and reads where the real ones are.
    ///
    /// # Errors
    /// A kubeconfig that cannot be used, or a directory.
    pub(super) async fn start(dev: &Dev, layout: &Layout) -> Result<Self, Failure> {
        let mut clusters = Vec::new();
        for option in &dev.kubeconfig {
            let Real { name, path, context, server } = Real::parse(option)?;
            clusters.push(Cluster { name, server, kubeconfig: path, context, simulated: None });
        }
        let simulated = dev.clusters.unwrap_or(if clusters.is_empty() { SIMULATED_DEFAULT } else { 0 });
        for number in 0..usize::from(simulated) {
            let name =
                NAMES.get(number).map_or_else(|| format!("c{}", number + 1), |name| (*name).to_owned());
            clusters.push(simulate(name, &layout.dir, dev.strict).await?);
        }
        let mut names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first)
        {
            let message = format!("two clusters are called {twice:?}");
            return Err(Failure::new(Exit::Usage, message, "--kubeconfig FILE=NAME names one"));
        }
        Ok(Self(clusters))
    }

    /// The requests that Tallyman has made to the simulated clusters; `None` if one cannot be counted.
    pub(super) fn requests(&self) -> Option<u64> {
        self.0
            .iter()
            .map(|cluster| Some(cluster.simulated.as_ref()?.requests().of_user_agent(USER_AGENT)))
            .sum()
    }

    /// `east, west        simulated`
    pub(super) fn summary(&self) -> String {
        let of = |is_simulated: bool| {
            let names = self.0.iter().filter(|cluster| cluster.is_simulated() == is_simulated);
            let names: Vec<String> = names
                .map(|cluster| {
                    if is_simulated {
                        cluster.name.clone()
                    } else {
                        format!("{} {}", cluster.name, cluster.server)
                    }
                })
                .collect();
            let word = if is_simulated { "simulated" } else { "real" };
            (!names.is_empty()).then(|| format!("{}        {word}", names.join(", ")))
        };
        let parts: Vec<String> = [of(false), of(true)].into_iter().flatten().collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join("   ") }
    }

    /// The simulated one of that name.
    pub(super) fn simulated(&self, name: &str) -> Option<&SimulatedCluster> {
        self.0.iter().find(|cluster| cluster.name == name)?.simulated.as_ref()
    }

    /// Stops the simulated ones; what they kept is on file.
    pub(super) async fn stop(self) {
        for cluster in self.0 {
            if let Some(simulated) = cluster.simulated {
                simulated.stop().await;
            }
        }
    }
}

async fn simulate(name: String, dir: &Path, is_strict: bool) -> Result<Cluster, Failure> {
    let home = dir.join("clusters").join(&name);
    std::fs::create_dir_all(&home).map_err(|error| layout::unusable(&home, &error))?;
    let kubeconfig = home.join("kubeconfig");
    let mut options = SimulatedClusterOptions {
        dir: Some(home.join("objects")),
        strict: is_strict,
        listen: former(&kubeconfig).unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        ..SimulatedClusterOptions::named(&name)
    };
    let mut started = SimulatedCluster::start(options.clone()).await;
    if matches!(started, Err(StartError::Listen { .. })) {
        // Its former port is taken; the leader reads the kubeconfig anew when it starts.
        options.listen.set_port(0);
        started = SimulatedCluster::start(options).await;
    }
    let simulated = started.map_err(|error| {
        let source =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Failure::new(Exit::Failed, format!("{error}{source}"), "name another --dir, or remove its clusters/")
    })?;
    layout::write(&kubeconfig, &simulated.kubeconfig())
        .map_err(|error| layout::unusable(&kubeconfig, &error))?;
    Ok(Cluster { name, server: simulated.server(), kubeconfig, context: None, simulated: Some(simulated) })
}

/// Where a cluster listened when its kubeconfig was written.
fn former(kubeconfig: &Path) -> Option<SocketAddr> {
    let config = serde_saphyr::from_str(&std::fs::read_to_string(kubeconfig).ok()?).ok()?;
    let server = kubeconfig::server(&config, crate::client::text(&config, "/current-context"))?;
    server.strip_prefix("http://")?.parse().ok()
}
