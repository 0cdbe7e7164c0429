//! `tallyman submit`: hands in a runnable.

use super::ChangeOptions;
use crate::bundle::{Bundle, Given};
use crate::client::{Client, Request, Where, request};
use crate::exit::{Exit, Failure};
use crate::output::{Form, OutputOptions};
use crate::runnable::{self, For};
use crate::screen::Screen;
use std::io::Read;
use std::time::Duration;

/// The longest file that is read: more than the API takes, so that it can say what to do.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Submit {
    /// A Runnable, or a Job and what it needs, as YAML or JSON; - reads standard input
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    place: Where,
    /// Run on this cluster (default: any, one is chosen)
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Wait for its end; the exit code is 8 if it ends without success
    #[arg(long)]
    wait: bool,
    /// How long to wait, as 90s or 2h (default: as long as it takes)
    #[arg(long, value_parser = runnable::duration, requires = "wait", value_name = "TIME")]
    timeout: Option<Duration>,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Submit {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let given = Given { namespace: self.place.namespace.as_deref(), cluster: self.cluster.as_deref() };
        let bundle = Bundle::read(&read_file(&self.file)?, &self.file, given)?;
        let path = request::runnables(Some(&bundle.namespace));
        let request = Request::send(reqwest::Method::POST, path, &bundle.document).keyed(self.change.key());
        let answer = client.change(request, &self.repeat()).await?;
        let mut run = answer.body.clone();
        let reference = runnable::reference(&run);
        let screen = Screen::stdout();
        if self.output.output == Form::Table {
            let again =
                if answer.header("idempotency-replayed") == "true" { "   (it was before)" } else { "" };
            screen.line(&format!(
                "{}   accepted   rev {}{again}",
                screen.bold(&reference),
                answer.revision()
            ));
        }
        if self.wait {
            let (namespace, name) = reference.split_once('/').unwrap_or_default();
            if let Some(ended) = runnable::wait(client, namespace, name, For::Finished, self.timeout).await? {
                run = ended;
            }
        }
        match self.output.output {
            Form::Table if self.wait => {
                let phase = runnable::phase(&run).map_or("", |phase| phase.as_str());
                screen.line(&format!("{}   {}", screen.bold(&reference), screen.phase(phase, 0)));
            }
            Form::Table => screen.line(&screen.dim(&format!("tallyman wait {reference}"))),
            _ => self.output.print(&run, &runnable::COLUMNS)?,
        }
        Ok(())
    }

    fn repeat(&self) -> String {
        let namespace = self.place.namespace.iter().map(|namespace| format!(" -n {namespace}"));
        let cluster = self.cluster.iter().map(|cluster| format!(" --cluster {cluster}"));
        format!("tallyman submit {}{}", self.file, namespace.chain(cluster).collect::<String>())
    }
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read_file(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("failed to read {file}: {error}"),
            "tallyman submit FILE, or - for standard input",
        )),
    }
}
