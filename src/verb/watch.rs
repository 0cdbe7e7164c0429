//! `tallyman watch`: every change of one run until it has ended.

use crate::client::{Client, Where, text};
use crate::exit::Failure;
use crate::output::{Form, OutputOptions};
use crate::runnable;
use crate::screen::Screen;

#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    output: OutputOptions,
}

impl Watch {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let screen = Screen::stdout();
        let mut printed = Ok(());
        let show = |run: Option<&serde_json::Value>| {
            let Some(run) = run else {
                screen.line("deleted");
                return true;
            };
            let phase = text(run, "/status/phase");
            match self.output.output {
                Form::Table => {
                    let (cluster, revision) =
                        (text(run, "/status/cluster"), text(run, "/metadata/resourceVersion"));
                    let line = format!(
                        "{}  rev {revision:<8} {cluster}  {}",
                        screen.phase(phase, 9),
                        runnable::message(run)
                    );
                    screen.line(line.trim_end());
                }
                _ => printed = self.output.print(run, &runnable::COLUMNS),
            }
            printed.is_err() || runnable::phase(run).is_some_and(|phase| phase.is_terminal())
        };
        runnable::follow(client, namespace, name, None, show).await?;
        printed
    }
}
