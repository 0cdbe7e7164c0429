//! `tallyman cluster add`: registers a cluster.

use super::COLUMNS;
use crate::client::{Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::output::{Columns, OutputOptions};
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use tallyman_model::record::WatchScope;

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster add east --kubeconfig /etc/tallyman/east.kubeconfig
  tallyman cluster add west --kubeconfig /etc/tallyman/all.kubeconfig --context west --label region=eu
  tallyman cluster add north --kubeconfig /etc/tallyman/north.kubeconfig --cordoned
  tallyman cluster add plant --kubeconfig /etc/tallyman/plant.kubeconfig --via paris
  tallyman cluster add fleet --kubeconfig /etc/tallyman/fleet.kubeconfig --hub clusters --cordoned
  tallyman cluster add shared --kubeconfig /etc/tallyman/shared.kubeconfig --watch-namespace risk

The kubeconfig stays where it is: every replica reads it there. tallyman cluster test tries one from this machine.
--via is for a cluster that not every datacenter reaches: wherever the leader is, it connects through the replicas there.
--hub is for a cluster whose ClusterProfiles tell of others: those are registered, and follow them.

Exit codes: 4 there is one of that name";

/// Register a cluster
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Add {
    /// Its name
    #[arg(value_name = "CLUSTER")]
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
    /// The datacenter whose replicas reach it, where others do not: a leader elsewhere connects through them
    #[arg(long, value_name = "DATACENTER")]
    via: Option<String>,
    /// Give it no work yet
    #[arg(long)]
    cordoned: bool,
    /// A namespace there whose ClusterProfiles and PlacementDecisions are followed
    #[arg(long = "hub", value_name = "NS")]
    hubs: Vec<String>,
    /// Where the logs of its Pods are read: a URL with {namespace}, {name}, {uid}, {pod} and {cluster} to be filled in
    #[arg(long, value_name = "URL")]
    log_link: Option<String>,
    /// Watch it by namespaces: those where work is, and these. For an account without rights on the whole cluster
    #[arg(long = "watch-namespace", value_name = "NS")]
    watch_namespaces: Vec<String>,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Add {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let path = absolute(&self.kubeconfig)?;
        let mut document = document(&self.name, &path, self.context.as_deref(), labels(&self.labels)?);
        if let Some(spec) = document.get_mut("spec").and_then(Value::as_object_mut) {
            spec.extend(self.via.map(|datacenter| ("via".to_owned(), json!(datacenter))));
            spec.extend(self.cordoned.then(|| ("cordoned".to_owned(), json!(true))));
            let hub = (!self.hubs.is_empty()).then(|| json!({"namespaces": self.hubs}));
            spec.extend(hub.map(|hub| ("hub".to_owned(), hub)));
            if !self.watch_namespaces.is_empty() {
                spec.insert("watchScope".to_owned(), json!(WatchScope::Namespaces.as_str()));
                spec.insert("watchNamespaces".to_owned(), json!(self.watch_namespaces));
            }
            spec.extend(self.log_link.map(|template| ("logLink".to_owned(), json!(template))));
        }
        let repeat = format!("tallyman cluster add {} --kubeconfig {}", self.name, path.display());
        sent(client, &document, self.change.key(), &repeat, &self.output, &COLUMNS).await
    }
}

/// Registers a cluster and says so.
pub(super) async fn sent(
    client: &Client,
    document: &Value,
    key: Option<&str>,
    repeat: &str,
    output: &OutputOptions,
    columns: &Columns,
) -> Result<(), Failure> {
    let request = Request::send(Method::POST, format!("{}/clusters", request::API), document);
    let answer = client.change(request.keyed(key), repeat).await?;
    if output.output.is_table() {
        let name = text(&answer.body, "/metadata/name");
        Screen::stdout().line(&format!("cluster {name} added   rev {}", answer.revision()));
        return Ok(());
    }
    output.print(&answer.body, columns)
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

pub(super) fn labels(pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut labels = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::new(Exit::Usage, format!("{pair:?} is not a label"), "--label region=eu"));
        };
        labels.insert(key.to_owned(), json!(value));
    }
    Ok(labels)
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
