//! `tallyman man`: manual pages of every command, made from the same words as `--help`.

use crate::exit::{Exit, Failure};
use crate::screen::complain;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  tallyman man | man -l -
  tallyman man --dir /usr/local/share/man/man1";

/// Write manual pages
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Man {
    /// All pages, a file each, into this directory (default: the first page, on standard output)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self, command: clap::Command) -> Result<(), Failure> {
        let unwritten = |error: std::io::Error| {
            let message = format!("failed to write manual pages: {error}");
            Failure::new(
                Exit::Failed,
                message,
                "name a directory that may be written to: tallyman man --dir DIR",
            )
        };
        match &self.dir {
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(unwritten)?;
                clap_mangen::generate_to(command, dir).map_err(unwritten)?;
                complain(&format!("manual pages are in {}\n", dir.display()));
                Ok(())
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command).render(&mut page).map_err(unwritten)?;
                write(&page).map_err(unwritten)
            }
        }
    }
}

/// Writes to standard output; a reader that went away has read enough.
pub(super) fn write(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
