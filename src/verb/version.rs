//! `tallyman version`: of this program, and of the servers.

use crate::client::{Client, Request, text};
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::screen::Screen;
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_model::GROUP_VERSION;

/// How long a server is given.
const ANSWER_S_MAX: u64 = 2;

const AFTER_HELP: &str = "\
Examples:
  tallyman version
  tallyman version --client -o jsonpath='{.client}'
  tallyman version --server http://127.0.0.1:7001,http://127.0.0.1:7002

Exit codes: 5 none of the servers answers (--client asks none)";

/// Tell the versions of this program and of the servers
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Version {
    /// Of this program only
    #[arg(long)]
    client: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl Version {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        self.output.refuse_name()?;
        let own = env!("CARGO_PKG_VERSION");
        let urls = if self.client { &[] } else { client.servers() };
        let ask = async |url: &String| {
            let one = client.at(url).within(Duration::from_secs(ANSWER_S_MAX));
            (url.clone(), one.read(&Request::get("/version")).await)
        };
        let answers = join_all(urls.iter().map(ask)).await;
        if let Some((_, Err(failure))) =
            answers.iter().find(|(_, answer)| answer.as_ref().is_err_and(Failure::is_printed))
        {
            return Err(failure.clone());
        }
        let server = |(url, answer): &(String, Result<crate::client::Answer, Failure>)| match answer {
            Ok(answer) => json!({"url": url, "version": text(&answer.body, "/tallyman")}),
            Err(_) => json!({"url": url, "error": "no answer"}),
        };
        let servers: Vec<Value> = answers.iter().map(server).collect();
        let document = json!({"client": own, "understands": GROUP_VERSION, "servers": servers});
        self.output.print_plain(&document, |_| {
            let screen = Screen::stdout();
            screen.line(&format!("client  {own}  understands group version {GROUP_VERSION}"));
            for server in &servers {
                let words = ["/version", "/error"].map(|pointer| text(server, pointer)).concat();
                screen.line(&format!("server  {words}  {}", text(server, "/url")));
            }
        })?;
        match answers.into_iter().map(|(_, answer)| answer).collect::<Vec<_>>().as_slice() {
            [] => Ok(()),
            all if all.iter().any(Result::is_ok) => Ok(()),
            [Err(failure), ..] => Err(failure.clone()),
            _ => Err(Failure::new(Exit::Unavailable, "no server answers", "tallyman version --client")),
        }
    }
}
