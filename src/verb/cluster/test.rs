//! `tallyman cluster test`: whether a cluster can be reached, by the group or from this machine.

use super::{COLUMNS, state};
use crate::client::{Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::screen::Screen;
use serde_json::json;
use std::path::PathBuf;
use tallyman_cluster::{ClusterApi as _, ConnectOptions, KubeApi, RefusedKind};
use tallyman_model::explain;
use tallyman_model::record::{Extent, Kind};

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster test east
  tallyman cluster test --kubeconfig /etc/tallyman/east.kubeconfig --context east

With a name: what the group knows of a registered cluster. With a kubeconfig: asks that cluster from this machine which
one it is, and whether the kinds that are sent may be listed, without any server.

Exit codes: 0 it takes work, 1 a request was refused, 3 not found, 5 it cannot be reached";

/// Look whether a cluster can be reached
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Test {
    /// The cluster's name
    #[arg(value_name = "CLUSTER", required_unless_present = "kubeconfig", conflicts_with = "kubeconfig")]
    name: Option<String>,
    /// Try this kubeconfig from here
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,
    /// The context in it (default: its current one)
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,
    /// Look in this namespace only, as for a cluster that is watched by namespaces
    #[arg(short, long, value_name = "NS", requires = "kubeconfig")]
    namespace: Option<String>,
    #[command(flatten)]
    output: OutputOptions,
}

impl Test {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match (&self.name, &self.kubeconfig) {
            (Some(name), _) => self.registered(client, name).await,
            (None, Some(path)) => self.asked(path.clone()).await,
            (None, None) => Ok(()),
        }
    }

    async fn registered(&self, client: &Client, name: &str) -> Result<(), Failure> {
        let cluster = client.read(&Request::get(request::cluster(name))).await?.body;
        self.output.print(&cluster, &COLUMNS)?;
        let why = match text(&cluster, "/status/message") {
            "" => String::new(),
            why => format!(": {why}"),
        };
        let message = format!("cluster {name} is {}{why}", state(&cluster));
        match state(&cluster) {
            "ready" => Ok(()),
            "unreachable" | "unknown" => {
                let attempt =
                    "try its kubeconfig where a replica runs: tallyman cluster test --kubeconfig FILE";
                Err(Failure::new(Exit::Unavailable, message, attempt))
            }
            "quarantined" => {
                Err(Failure::new(Exit::Failed, message, format!("tallyman cluster confirm {name}")))
            }
            "paused" => Err(Failure::new(Exit::Failed, message, format!("tallyman cluster resume {name}"))),
            _ => Err(Failure::new(Exit::Failed, message, format!("tallyman cluster uncordon {name}"))),
        }
    }

    async fn asked(&self, path: PathBuf) -> Result<(), Failure> {
        let options = ConnectOptions::new(path).context(self.context.clone());
        let unusable = |words: String| {
            Failure::new(
                Exit::Failed,
                words,
                "kubectl --kubeconfig FILE get namespace kube-system shows more",
            )
        };
        let api = KubeApi::connect(options).await.map_err(|error| unusable(explain(&error)))?;
        let identity = api.identity().await.map_err(|error| {
            let exit = if error.was_answered() { Exit::Failed } else { Exit::Unavailable };
            Failure { exit, ..unusable(format!("{}: {}", api.server(), explain(&error))) }
        })?;
        let mut absent = Vec::new();
        for kind in Kind::KNOWN {
            let namespace = self.namespace.clone().unwrap_or_default();
            let asked = api.newest(&Extent { kind: kind.clone(), namespace }).await;
            if let Err(error) = &asked
                && !kind.is_everywhere()
                && error.refused_kind() == Some(RefusedKind::KindMissing)
            {
                absent.push(kind.to_string());
                continue;
            }
            asked.map_err(|error| {
                let words = format!(
                    "{} cannot be listed on {}: {}",
                    kind.plural().unwrap_or(kind.as_str()),
                    api.server(),
                    explain(&error)
                );
                Failure {
                    attempt: "give its user the rights that Tallyman needs".to_owned(),
                    ..unusable(words)
                }
            })?;
        }
        let document = json!({"server": api.server(), "version": identity.version,
            "kubeSystemUID": identity.kube_system_uid, "reachable": true, "kindsAbsent": absent});
        self.output.print_plain(&document, |_| {
            let (server, version) = (api.server(), &identity.version);
            let line =
                format!("{server}   {version}   kube-system UID {}   can be used", identity.kube_system_uid);
            let screen = Screen::stdout();
            screen.line(&line);
            if !absent.is_empty() {
                screen.line(&format!("not installed there: {}", absent.join(", ")));
            }
        })
    }
}
