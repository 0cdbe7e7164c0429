//! `tallyman delete`: stops runs, removes their objects, then their records. What happened stays in the ledger.

use super::ChangeOptions;
use super::many::{Many, Outcomes, Target};
use crate::client::{Client, Request, request};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::waiting::{For, wait_one};
use reqwest::Method;
use serde_json::json;

const AFTER_HELP: &str = "\
Examples:
  tallyman delete risk/nightly-report-x7k2p
  tallyman delete nightly-report-x7k2p -n risk --wait
  tallyman delete -n risk --field-selector status.phase=Succeeded --yes

Exit codes: 3 not found, 7 unknown (repeat it with the key that is named)";

/// Stop runnables, remove their objects, then their records
///
/// What happened stays in the ledger: tallyman history shows it also afterwards.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Delete {
    #[command(flatten)]
    many: Many,
    /// Wait until objects and records are gone
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Delete {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let screen = Screen::stdout();
        let targets = self.many.targets(client, "delete", |_| true).await?;
        let mut outcomes = Outcomes::default();
        let mut asked = Vec::new();
        for target in &targets {
            let outcome = self.one(client, target).await;
            // What would wait is printed where the change was.
            if self.wait && outcome.as_ref().map_or_else(Failure::is_printed, |()| true) {
                asked.push(target);
            } else {
                outcomes.add(&target.reference(), outcome);
            }
        }
        for target in asked {
            let gone = wait_one(client, (&target.namespace, &target.name), &For::Deleted, None).await;
            if gone.is_ok() {
                screen.line(&format!("{}   removed", target.reference()));
            }
            outcomes.add(&target.reference(), gone.map(|_| ()));
        }
        outcomes.conclude()
    }

    async fn one(&self, client: &Client, target: &Target) -> Result<(), Failure> {
        let path = request::runnable(&target.namespace, &target.name);
        let request = match &target.uid {
            Some(uid) => {
                let options =
                    json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}});
                Request::send(Method::DELETE, path, &options)
            }
            None => Request::new(Method::DELETE, path),
        };
        let repeat = format!("tallyman delete {}", target.reference());
        let answer = client.change(request.keyed(self.change.key()), &repeat).await?;
        if !self.wait {
            let line = format!("{}   being removed   rev {}", target.reference(), answer.revision());
            Screen::stdout().line(&line);
        }
        Ok(())
    }
}
