//! `tallyman cluster list` and `get`.

use super::COLUMNS;
use crate::client::{Client, Request, request};
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::select;

const LIST_HELP: &str = "\
Examples:
  tallyman cluster list
  tallyman cluster list -l region=eu -o wide
  tallyman cluster list -o name";
const GET_HELP: &str = "\
Examples:
  tallyman cluster get east
  tallyman cluster get east -o yaml
  tallyman cluster get east -o jsonpath='{.status.kubeSystemUID}'

Exit codes: 3 not found";

/// List the clusters and how they are
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_HELP)]
pub(super) struct List {
    /// Only those with these labels, as region=eu
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Answer at once from the asked server's own state, also without a leader
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    output: OutputOptions,
}

/// Read clusters by name
#[derive(Debug, clap::Args)]
#[command(after_help = GET_HELP)]
pub(super) struct Get {
    /// The clusters' names
    #[arg(required = true, value_name = "CLUSTER")]
    names: Vec<String>,
    /// Answer at once from the asked server's own state, also without a leader
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl List {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let request = Request::get(format!("{}/clusters", request::API))
            .query_some("labelSelector", self.selector.as_deref())
            .query_some("consistency", self.stale.then_some("stale"));
        self.output.print(&select::list(client, &request).await?, &COLUMNS)
    }
}

impl Get {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut found = Vec::new();
        for name in &self.names {
            let request =
                Request::get(request::cluster(name)).query_some("consistency", self.stale.then_some("stale"));
            found.push(client.read(&request).await?.body);
        }
        self.output.print_all(&found, &COLUMNS)
    }
}
