//! `tallyman cluster write-off`: gives up a cluster that is lost for good.

use crate::client::{Client, Request, request};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::json;

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster write-off east --reason 'the datacenter burnt down'

Runs that are under way there end Failed with reason ClusterWrittenOff and say what was given up; they are not moved, and
retrying one may run it twice. Their names are free, and what was to be deleted there is not waited for any more. If the
cluster comes back it gets nothing, and what it has of ours is reported as strays, until tallyman cluster confirm.

Exit codes: 3 not found, 4 it answers, or is written off already";

/// Give up a cluster that is lost for good
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct WriteOff {
    /// The cluster's name
    #[arg(value_name = "CLUSTER")]
    name: String,
    /// Why, for the record
    #[arg(long, value_name = "WORDS")]
    reason: String,
    #[command(flatten)]
    change: ChangeOptions,
}

impl WriteOff {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let name = &self.name;
        let path = format!("{}/write-off", request::cluster(name));
        let request =
            Request::send(Method::POST, path, &json!({"reason": self.reason})).keyed(self.change.key());
        let repeat = format!("tallyman cluster write-off {name} --reason '{}'", self.reason);
        let answer = client.change(request, &repeat).await?;
        Screen::stdout().line(&format!("cluster {name} is written off   rev {}", answer.revision()));
        Ok(())
    }
}
