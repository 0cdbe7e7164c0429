//! `tallyman wait`: until a run has ended, runs, exists or is gone.

use crate::client::{Client, Where};
use crate::exit::Failure;
use crate::output::{Form, OutputOptions};
use crate::runnable::{self, For};
use crate::screen::Screen;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Wait {
    /// NAME or NS/NAME
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    place: Where,
    /// What to wait for
    #[arg(long = "for", value_enum, default_value = "finished", value_name = "STATE")]
    until: For,
    /// How long, for all together, as 90s or 2h (default: as long as it takes)
    #[arg(long, value_parser = runnable::duration, value_name = "TIME")]
    timeout: Option<Duration>,
    #[command(flatten)]
    output: OutputOptions,
}

impl Wait {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let start = Instant::now();
        let mut worst = Ok(());
        for (namespace, name) in self.place.split_all(&self.names)? {
            let left = self.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            match runnable::wait(client, namespace, name, self.until, left).await {
                Ok(run) => self.show(namespace, name, run.as_ref())?,
                // The others are waited for all the same; the last failure decides the exit code.
                Err(failure) => {
                    if let Err(earlier) = std::mem::replace(&mut worst, Err(failure)) {
                        crate::screen::complain(&earlier.text());
                    }
                }
            }
        }
        worst
    }

    fn show(&self, namespace: &str, name: &str, run: Option<&serde_json::Value>) -> Result<(), Failure> {
        match (run, self.output.output) {
            (Some(run), Form::Table) => {
                let screen = Screen::stdout();
                let phase = runnable::phase(run).map_or("", |phase| phase.as_str());
                screen.line(&format!(
                    "{}   {}",
                    screen.bold(&format!("{namespace}/{name}")),
                    screen.phase(phase, 0)
                ));
            }
            (Some(run), _) => self.output.print(run, &runnable::COLUMNS)?,
            (None, _) => Screen::stdout().line(&format!("{namespace}/{name}   gone")),
        }
        Ok(())
    }
}
