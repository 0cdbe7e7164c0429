//! `tallyman cluster ...`: the clusters that work can go to.

mod release;
mod role;

use super::ChangeOptions;
use crate::client::{Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::output::{Columns, Form, OutputOptions, age, or_dash};
use crate::screen::Screen;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct ClusterCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Register a cluster
    Add(Add),
    /// List the clusters and how they are
    List {
        #[command(flatten)]
        output: OutputOptions,
    },
    /// Give a cluster no new work; what runs there goes on
    Cordon(Named),
    /// Give a cluster work again
    Uncordon(Named),
    /// Remove Tallyman's holds from a cluster when Tallyman is gone; asks that cluster only
    Release(release::Release),
    /// Print the account and the roles that a cluster must give Tallyman; asks nobody
    Role(role::Role),
    /// Take out a cluster on which nothing is active
    Remove(Remove),
}

#[derive(Debug, clap::Args)]
struct Add {
    /// Its name
    name: String,
    /// A kubeconfig that every replica can read under this path
    #[arg(long, value_name = "PATH")]
    kubeconfig: PathBuf,
    /// The context in it (default: its current one)
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// A label for placements to select on
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The cluster's name
    name: String,
    #[command(flatten)]
    change: ChangeOptions,
}

#[derive(Debug, clap::Args)]
struct Remove {
    #[command(flatten)]
    named: Named,
    /// Also while ended runs have objects there: they stay on the cluster and are never looked at again
    #[arg(long)]
    orphan: bool,
}

/// A cluster's columns.
const COLUMNS: Columns = Columns {
    resource: "cluster",
    headings: &["NAME", "STATE", "ACTIVE", "VERSION", "OBSERVED", "MESSAGE"],
    cells,
};

fn cells(cluster: &Value) -> Vec<String> {
    let observed = text(cluster, "/status/observedAt");
    vec![
        text(cluster, "/metadata/name").to_owned(),
        state(cluster).to_owned(),
        cluster
            .pointer("/status/activeRuns")
            .and_then(Value::as_u64)
            .map_or("-".to_owned(), |count| count.to_string()),
        or_dash(text(cluster, "/status/version")),
        if observed.is_empty() { "-".to_owned() } else { format!("{} ago", age(observed)) },
        text(cluster, "/status/message").to_owned(),
    ]
}

fn state(cluster: &Value) -> &'static str {
    let is = |pointer: &str| cluster.pointer(pointer).and_then(Value::as_bool);
    match (is("/status/quarantined"), is("/spec/cordoned"), is("/spec/paused"), is("/status/reachable")) {
        (Some(true), ..) => "quarantined",
        (_, _, _, Some(false)) => "unreachable",
        (_, Some(true), ..) => "cordoned",
        (_, _, Some(true), _) => "paused",
        (_, _, _, Some(true)) => "ready",
        (_, _, _, None) => "unknown",
    }
}

impl ClusterCommand {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::Add(add) => add.run(client).await,
            Verb::List { output } => {
                let answer = client.read(&Request::get(format!("{}/clusters", request::API))).await?;
                output.print(&answer.body, &COLUMNS)
            }
            Verb::Cordon(named) => named.cordon(client, true).await,
            Verb::Uncordon(named) => named.cordon(client, false).await,
            Verb::Release(release) => release.run().await,
            Verb::Role(role) => role.run(),
            Verb::Remove(remove) => remove.run(client).await,
        }
    }
}

impl Add {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let path = absolute(&self.kubeconfig)?;
        let document = document(&self.name, &path, self.context.as_deref(), labels(&self.labels)?);
        let request = Request::send(Method::POST, format!("{}/clusters", request::API), &document);
        let repeat = format!("tallyman cluster add {} --kubeconfig {}", self.name, path.display());
        let answer = client.change(request.keyed(self.change.key()), &repeat).await?;
        match self.output.output {
            Form::Table => {
                Screen::stdout().line(&format!("cluster {} added   rev {}", self.name, answer.revision()));
                Ok(())
            }
            _ => self.output.print(&answer.body, &COLUMNS),
        }
    }
}

/// The path as the replicas read it. An absolute one need not be here, and is kept as it is: where a Secret is
/// mounted, what its links lead to changes with each update.
fn absolute(kubeconfig: &Path) -> Result<PathBuf, Failure> {
    let unusable = |error: std::io::Error| {
        let message = format!("failed to read the kubeconfig {}: {error}", kubeconfig.display());
        Failure::new(Exit::Failed, message, "name a file that every replica can read under the same path")
    };
    if !kubeconfig.is_absolute() {
        std::fs::metadata(kubeconfig).map_err(unusable)?;
    }
    std::path::absolute(kubeconfig).map_err(unusable)
}

/// A cluster as it is registered.
pub(crate) fn document(
    name: &str,
    kubeconfig: &Path,
    context: Option<&str>,
    labels: Map<String, Value>,
) -> Value {
    let mut reference = json!({"path": kubeconfig});
    if let (Some(context), Some(reference)) = (context, reference.as_object_mut()) {
        reference.insert("context".to_owned(), json!(context));
    }
    json!({
        "apiVersion": crate::bundle::API_VERSION, "kind": "Cluster",
        "metadata": {"name": name, "labels": labels}, "spec": {"kubeconfig": reference},
    })
}

fn labels(pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut labels = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::new(Exit::Usage, format!("{pair:?} is not a label"), "--label region=eu"));
        };
        labels.insert(key.to_owned(), json!(value));
    }
    Ok(labels)
}

impl Named {
    async fn cordon(self, client: &Client, is_cordoned: bool) -> Result<(), Failure> {
        let patch = json!({"spec": {"cordoned": is_cordoned}});
        let request =
            Request::send(Method::PATCH, request::cluster(&self.name), &patch).keyed(self.change.key());
        let verb = if is_cordoned { "cordon" } else { "uncordon" };
        let answer = client.change(request, &format!("tallyman cluster {verb} {}", self.name)).await?;
        let state = if is_cordoned { "gets no new work" } else { "gets work again" };
        Screen::stdout().line(&format!("cluster {} {state}   rev {}", self.name, answer.revision()));
        Ok(())
    }
}

impl Remove {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let (name, path) = (&self.named.name, request::cluster(&self.named.name));
        let (request, option) = if self.orphan {
            let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"});
            (Request::send(Method::DELETE, path, &options), " --orphan")
        } else {
            (Request::new(Method::DELETE, path), "")
        };
        let repeat = format!("tallyman cluster remove {name}{option}");
        client.change(request.keyed(self.named.change.key()), &repeat).await?;
        Screen::stdout().line(&format!("cluster {name} removed"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_path_is_sent_as_the_replicas_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("..data"), dir.path().join("east"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(absolute(&link).unwrap(), link, "a mounted Secret's links change");
        assert_eq!(absolute(Path::new("/only/there")).unwrap(), Path::new("/only/there"));
        assert_eq!(absolute(Path::new("not-here")).unwrap_err().exit, Exit::Failed);
    }
}
