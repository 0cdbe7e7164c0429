//! `tallyman get`: one or more runnables by name.

use crate::client::{Client, Request, Where, request};
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::runnable;
use serde_json::Value;

const AFTER_HELP: &str = "\
Examples:
  tallyman get risk/nightly-report-x7k2p
  tallyman get nightly-report-x7k2p -n risk -o yaml
  tallyman get risk/nightly-report-x7k2p -o jsonpath='{.status.phase}'
  tallyman get risk/nightly-report-x7k2p --token 24     # at least what a write with rev 24 did

Exit codes: 3 not found, 5 no leader or server (--stale needs no leader)";

/// Read runnables by name
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Get {
    /// NAME or NS/NAME
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    place: Where,
    /// Include this revision at least: the one that a write answered with
    #[arg(long, value_name = "REV")]
    token: Option<u64>,
    /// Answer at once from the asked server's own state, also without a leader
    #[arg(long, conflicts_with = "token")]
    stale: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl Get {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut found = Vec::new();
        for (namespace, name) in self.place.split_all(&self.names)? {
            match self.read(client, namespace, name).await {
                Err(failure) if failure.is_printed() => {}
                read => found.push(read?),
            }
        }
        if client.is_curl() {
            return Ok(());
        }
        self.output.print_all(&found, &runnable::COLUMNS)
    }

    async fn read(&self, client: &Client, namespace: &str, name: &str) -> Result<Value, Failure> {
        let mut request = Request::get(request::runnable(namespace, name))
            .query_some("consistency", self.stale.then_some("stale"));
        if let Some(token) = self.token {
            request = request.token(token);
        }
        Ok(client.read(&request).await?.body)
    }
}
