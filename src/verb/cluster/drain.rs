//! `tallyman cluster drain`: what has not started leaves a cluster.

use crate::client::{Client, Request, request};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use crate::verb::many::Outcomes;
use reqwest::Method;
use serde_json::json;

const AFTER_HELP: &str = "\
Examples:
  tallyman cluster drain east --reason 'new nodes'
  tallyman list -A --field-selector status.cluster=east
  tallyman move -A --field-selector status.cluster=east

`tallyman cluster uncordon` ends it.

Exit codes: 3 not found";

/// Give clusters no new work, and take what has not started off them
///
/// Runs with onLoss: Move that have not started leave, a few a second, each when its object is seen to be gone. All
/// others stay and end there; `tallyman move` takes them off one by one.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Drain {
    /// The clusters' names
    #[arg(required = true, value_name = "CLUSTER")]
    names: Vec<String>,
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "WORDS", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Drain {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let body = if self.reason.is_empty() { json!({}) } else { json!({"reason": self.reason}) };
        let mut outcomes = Outcomes::default();
        for name in &self.names {
            let path = format!("{}/drain", request::cluster(name));
            let request = Request::send(Method::POST, path, &body).keyed(self.change.key());
            let changed = client.change(request, &format!("tallyman cluster drain {name}")).await;
            if let Ok(answer) = &changed {
                let line = format!(
                    "cluster {name} gets no new work, and what has not started leaves it   rev {}",
                    answer.revision()
                );
                Screen::stdout().line(&line);
            }
            outcomes.add(name, changed.map(|_| ()));
        }
        outcomes.conclude()
    }
}
