//! `tallyman statusrule delete`.

use super::one;
use crate::client::{Client, Request};
use crate::exit::Failure;
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;

const AFTER_HELP: &str = "\
Examples:
  tallyman statusrule delete spark

Exit codes: 3 not found";

/// Take a status rule away; runs that go by it are not seen to end until there is one again
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Delete {
    /// The rule's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Delete {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let request = Request::new(Method::DELETE, one(&self.name));
        let repeat = format!("tallyman statusrule delete {}", self.name);
        client.change(request.keyed(self.change.key()), &repeat).await?;
        Screen::stdout().line(&format!("status rule {} deleted", self.name));
        Ok(())
    }
}
