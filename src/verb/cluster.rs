//! `tallyman cluster ...`: the clusters that work can go to.

mod add;
mod drain;
mod get;
mod import;
mod release;
mod remove;
mod role;
mod setting;
mod test;
mod write_off;

pub(crate) use add::document;

use crate::client::{Client, text};
use crate::exit::Failure;
use crate::output::{Columns, age, or_dash};
use serde_json::Value;

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster add east --kubeconfig /etc/tallyman/east.kubeconfig --label region=eu
  tallyman cluster list -o wide
  tallyman cluster cordon east";

/// Work with clusters
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ClusterCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Add(add::Add),
    Import(import::Import),
    List(get::List),
    Get(get::Get),
    /// Give a cluster no new work; what runs there goes on
    #[command(after_help = setting::CORDON_HELP)]
    Cordon(setting::Named),
    /// Give a cluster work again
    #[command(after_help = setting::UNCORDON_HELP)]
    Uncordon(setting::Named),
    Drain(drain::Drain),
    /// Send nothing to a cluster; watching it goes on
    #[command(after_help = setting::PAUSE_HELP)]
    Pause(setting::Named),
    /// Send to a cluster again
    #[command(after_help = setting::RESUME_HELP)]
    Resume(setting::Named),
    Confirm(setting::Confirm),
    Test(test::Test),
    Release(release::Release),
    Role(role::Role),
    Remove(remove::Remove),
    WriteOff(write_off::WriteOff),
}

/// A cluster's columns.
const COLUMNS: Columns = Columns {
    resource: "cluster",
    headings: &[
        "NAME",
        "STATE",
        "ACTIVE",
        "VERSION",
        "OBSERVED",
        "MESSAGE",
        "STRAYS",
        "SWEPT",
        "TIMELINE",
        "KUBE-SYSTEM UID",
        "VIA",
        "REACHED BY",
    ],
    narrow: 6,
    cells,
};

fn cells(cluster: &Value) -> Vec<String> {
    let ago = |pointer: &str| match text(cluster, pointer) {
        "" => "-".to_owned(),
        at => format!("{} ago", age(at)),
    };
    let number = |pointer: &str| {
        cluster.pointer(pointer).and_then(Value::as_u64).map_or("-".to_owned(), |count| count.to_string())
    };
    vec![
        text(cluster, "/metadata/name").to_owned(),
        state(cluster).to_owned(),
        number("/status/activeRuns"),
        or_dash(text(cluster, "/status/version")),
        ago("/status/observedAt"),
        text(cluster, "/status/message").to_owned(),
        number("/status/straysCount"),
        ago("/status/sweptAt"),
        number("/status/timeline"),
        or_dash(text(cluster, "/status/kubeSystemUID")),
        or_dash(text(cluster, "/spec/via")),
        match text(cluster, "/spec/server/url") {
            "" => text(cluster, "/spec/kubeconfig/path").to_owned(),
            url => url.to_owned(),
        },
    ]
}

fn state(cluster: &Value) -> &'static str {
    let is = |pointer: &str| cluster.pointer(pointer).and_then(Value::as_bool);
    if cluster.pointer("/status/writtenOff").is_some() {
        return "written off";
    }
    match (is("/status/quarantined"), is("/spec/cordoned"), is("/spec/paused"), is("/status/reachable")) {
        (Some(true), ..) => "quarantined",
        (_, _, _, Some(false)) => "unreachable",
        (_, _, Some(true), _) => "paused",
        (_, Some(true), ..) if cluster.pointer("/status/draining").is_some() => "draining",
        (_, Some(true), ..) => "cordoned",
        // Its hub says so.
        (_, _, _, Some(true)) if cluster.pointer("/status/profile/message").is_some() => "cordoned",
        (_, _, _, Some(true)) => "ready",
        (_, _, _, None) => "unknown",
    }
}

impl ClusterCommand {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        use setting::Setting::{Cordoned, Paused};
        match self.verb {
            Verb::Add(add) => add.run(client).await,
            Verb::Import(import) => import.run(client).await,
            Verb::List(list) => list.run(client).await,
            Verb::Get(get) => get.run(client).await,
            Verb::Cordon(named) => named.set(client, "cordon", Cordoned(true)).await,
            Verb::Uncordon(named) => named.set(client, "uncordon", Cordoned(false)).await,
            Verb::Drain(drain) => drain.run(client).await,
            Verb::Pause(named) => named.set(client, "pause", Paused(true)).await,
            Verb::Resume(named) => named.set(client, "resume", Paused(false)).await,
            Verb::Confirm(confirm) => confirm.run(client).await,
            Verb::Test(test) => test.run(client).await,
            Verb::Release(release) => release.run().await,
            Verb::Role(role) => role.run(),
            Verb::Remove(remove) => remove.run(client).await,
            Verb::WriteOff(off) => off.run(client).await,
        }
    }
}
