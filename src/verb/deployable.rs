//! `tallyman deployable ...`: what is kept in sync on clusters.

mod apply;
mod approve;
mod change;
mod diff;
mod get;

use crate::client::{Client, request, text};
use crate::exit::Failure;
use crate::output::{Columns, age};
use serde_json::Value;

const AFTER_HELP: &str = "\
Examples:
  tallyman deployable apply settings.yaml
  tallyman deployable list -A
  tallyman deployable rollback risk/settings --to 3";

/// Work with deployables: what is kept in sync on clusters
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DeployableCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Apply(apply::Apply),
    List(get::List),
    Get(get::Get),
    Diff(diff::Diff),
    Revisions(get::Revisions),
    Rollback(change::Rollback),
    Approve(approve::Approve),
    Pause(change::Pause),
    Resume(change::Resume),
    Delete(change::Delete),
}

/// A deployable's columns.
const COLUMNS: Columns = Columns {
    resource: "deployable",
    headings: &["NAMESPACE", "NAME", "REVISION", "SYNCED", "HEALTHY", "DRIFTED", "FAILING", "AGE", "MESSAGE"],
    narrow: 9,
    cells,
};

fn cells(deployable: &Value) -> Vec<String> {
    let number = |pointer: &str| deployable.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let clusters = number("/status/counts/clusters");
    let of_all = |pointer: &str| format!("{}/{clusters}", number(pointer));
    vec![
        text(deployable, "/metadata/namespace").to_owned(),
        text(deployable, "/metadata/name").to_owned(),
        number("/status/revision").to_string(),
        of_all("/status/counts/synced"),
        of_all("/status/counts/healthy"),
        number("/status/counts/drifted").to_string(),
        number("/status/counts/failing").to_string(),
        age(text(deployable, "/metadata/creationTimestamp")),
        text(deployable, "/status/message").to_owned(),
    ]
}

/// The path of a namespace's deployables, or of those of all.
fn all(namespace: Option<&str>) -> String {
    let namespace = namespace.map_or_else(String::new, |one| format!("/namespaces/{}", request::escape(one)));
    format!("{}{namespace}/deployables", request::API)
}

/// The path of one.
fn one(namespace: &str, name: &str) -> String {
    format!("{}/{}", all(Some(namespace)), request::escape(name))
}

impl DeployableCommand {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::Apply(apply) => apply.run(client).await,
            Verb::List(list) => list.run(client).await,
            Verb::Get(get) => get.run(client).await,
            Verb::Diff(diff) => diff.run(client).await,
            Verb::Revisions(revisions) => revisions.run(client).await,
            Verb::Approve(approve) => approve.run(client).await,
            Verb::Pause(pause) => pause.run(client).await,
            Verb::Resume(resume) => resume.run(client).await,
            Verb::Rollback(rollback) => rollback.run(client).await,
            Verb::Delete(delete) => delete.run(client).await,
        }
    }
}
