//! `tallyman cancel`: stops a run and keeps its record.

use super::ChangeOptions;
use crate::client::{Client, Request, Where, request};
use crate::exit::Failure;
use crate::output::{Form, OutputOptions};
use crate::runnable;
use crate::screen::Screen;
use reqwest::Method;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "WORDS", hide_default_value = true)]
    reason: String,
    /// Wait until it is seen to have stopped
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Cancel {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let path = format!("{}/cancel", request::runnable(namespace, name));
        let body = if self.reason.is_empty() { json!({}) } else { json!({"reason": self.reason}) };
        let request = Request::send(Method::POST, path, &body).keyed(self.change.key());
        let answer = client.change(request, &format!("tallyman cancel {namespace}/{name}")).await?;
        if self.wait {
            // Cancelled is what was asked for, not a failure.
            let is_done = |run: Option<&serde_json::Value>| {
                run.is_none_or(|run| runnable::phase(run).is_some_and(|phase| phase.is_terminal()))
            };
            runnable::follow(client, namespace, name, None, is_done).await?;
        }
        match self.output.output {
            Form::Table if self.wait => Screen::stdout().line(&format!("{namespace}/{name}   stopped")),
            Form::Table => {
                Screen::stdout().line(&format!("{namespace}/{name}   stopping   rev {}", answer.revision()))
            }
            _ => self.output.print(&answer.body, &runnable::COLUMNS)?,
        }
        Ok(())
    }
}
