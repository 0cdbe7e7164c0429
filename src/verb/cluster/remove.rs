//! `tallyman cluster remove`: takes a cluster out.

use crate::client::{Client, Request, request};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::json;

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster remove east
  tallyman cluster remove east --orphan

Exit codes: 3 not found, 4 something is active there, or ended runs have objects there (--orphan)";

/// Take out a cluster on which nothing is active
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Remove {
    /// The cluster's name
    #[arg(value_name = "CLUSTER")]
    name: String,
    /// Also while ended runs have objects there: they stay on the cluster and are never looked at again
    #[arg(long)]
    orphan: bool,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Remove {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (name, path) = (&self.name, request::cluster(&self.name));
        let (request, option) = if self.orphan {
            let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"});
            (Request::send(Method::DELETE, path, &options), " --orphan")
        } else {
            (Request::new(Method::DELETE, path), "")
        };
        let repeat = format!("tallyman cluster remove {name}{option}");
        client.change(request.keyed(self.change.key()), &repeat).await?;
        Screen::stdout().line(&format!("cluster {name} removed"));
        Ok(())
    }
}
