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
    let read = if file == "-" {
        read_text(std::io::stdin().lock(), FILE_BYTES_MAX)
    } else {
        std::fs::File::open(file).and_then(|opened| read_text(opened, FILE_BYTES_MAX))
    };
    let hint = "tallyman submit FILE, or - for standard input";
    match read {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(Failure::new(
            Exit::Usage,
            format!("{file} is longer than {FILE_BYTES_MAX} bytes; nothing was submitted"),
            "submit less at once, or refer to data that is stored elsewhere",
        )),
        Err(error) => Err(Failure::new(Exit::Failed, format!("failed to read {file}: {error}"), hint)),
    }
}

/// The whole text; `None` if it is longer than `bytes_max`: a part of it could mean something else.
fn read_text(source: impl Read, bytes_max: u64) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let length = source.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if u64::try_from(length).is_ok_and(|length| length <= bytes_max) {
        let text = String::from_utf8(bytes);
        return text.map(Some).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_refused_and_not_cut() {
        assert_eq!(read_text("kind: Job".as_bytes(), 9).unwrap().as_deref(), Some("kind: Job"));
        assert_eq!(read_text("kind: Jobs".as_bytes(), 9).unwrap(), None);
        // The limit is in the middle of a letter.
        assert_eq!(read_text("name: \u{e9}".as_bytes(), 7).unwrap(), None);
        assert!(read_text(&[0xff_u8][..], 9).is_err());
    }

    #[test]
    fn a_file_that_is_too_long_ends_as_a_usage_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(FILE_BYTES_MAX + 1).unwrap();
        let failure = read_file(file.path().to_str().unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("is longer than"), "{failure:?}");
    }
}
