//! `tallyman delete`: stops a run, removes its objects, then its record. What happened stays in the ledger.

use super::ChangeOptions;
use crate::client::{Client, Request, Where, request};
use crate::exit::Failure;
use crate::runnable::{self, For};
use crate::screen::Screen;
use reqwest::Method;

#[derive(Debug, clap::Args)]
pub(crate) struct Delete {
    /// NAME or NS/NAME
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    place: Where,
    /// Wait until objects and record are gone
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Delete {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let screen = Screen::stdout();
        let named = self.place.split_all(&self.names)?;
        for &(namespace, name) in &named {
            let request =
                Request::new(Method::DELETE, request::runnable(namespace, name)).keyed(self.change.key());
            let answer = client.change(request, &format!("tallyman delete {namespace}/{name}")).await?;
            if !self.wait {
                screen.line(&format!("{namespace}/{name}   being removed   rev {}", answer.revision()));
            }
        }
        for (namespace, name) in named.into_iter().filter(|_| self.wait) {
            runnable::wait(client, namespace, name, For::Gone, None).await?;
            screen.line(&format!("{namespace}/{name}   removed"));
        }
        Ok(())
    }
}
