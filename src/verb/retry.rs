//! `tallyman retry`: starts an ended run again, as one more attempt.

use super::ChangeOptions;
use crate::client::{Client, Request, Where, request};
use crate::exit::Failure;
use crate::output::{Form, OutputOptions};
use crate::runnable::{self, For};
use crate::screen::Screen;
use reqwest::Method;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(crate) struct Retry {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "WORDS", hide_default_value = true)]
    reason: String,
    /// Wait for its end; the exit code is 8 if it ends without success
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Retry {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let path = format!("{}/retry", request::runnable(namespace, name));
        let body = if self.reason.is_empty() { json!({}) } else { json!({"reason": self.reason}) };
        let request = Request::send(Method::POST, path, &body).keyed(self.change.key());
        let answer = client.change(request, &format!("tallyman retry {namespace}/{name}")).await?;
        match self.output.output {
            Form::Table => {
                Screen::stdout()
                    .line(&format!("{namespace}/{name}   accepted again   rev {}", answer.revision()));
            }
            _ => self.output.print(&answer.body, &runnable::COLUMNS)?,
        }
        if self.wait {
            runnable::wait(client, namespace, name, For::Finished, None).await?;
            Screen::stdout().line(&format!("{namespace}/{name}   succeeded"));
        }
        Ok(())
    }
}
