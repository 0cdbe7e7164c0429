//! `tallyman operator snapshot save`.

use super::{SNAPSHOT, dir_of, verify};
use crate::client::{Client, Request};
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tallyman_store::files::{DiskPath, Open, Steady};

/// How long a replica may take to read its state before it sends.
const TAKE_S_MAX: u64 = 600;

const AFTER_HELP: &str = "\
Examples:
  tallyman operator snapshot save night.tallyman

Any replica gives it while it works, and what it has applied is in it. The file is written aside, verified to the last
byte, and only then gets its name.

Exit codes: 1 it broke off or is damaged: there is no new file, 4 there is a file of that name, 6 for operators only";

/// Save a backup of a running replica
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Save {
    /// The new file
    file: PathBuf,
    /// Replace a file of that name
    #[arg(long)]
    overwrite: bool,
}

impl Save {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        if self.file.exists() && !self.overwrite {
            let message = format!("{} exists", self.file.display());
            return Err(Failure::new(Exit::Conflict, message, "another name, or --overwrite"));
        }
        let aside = aside(&self.file);
        let saved = self.save(client, &aside).await;
        if saved.is_err() {
            let _ = fs::remove_file(&aside);
        }
        let (server, words) = saved?;
        Screen::stdout().line(&format!("saved from {server}: {words}"));
        Ok(())
    }

    async fn save(&self, client: &Client, aside: &Path) -> Result<(String, String), Failure> {
        let check = "check the directory and its disk";
        let file = DiskPath::from(aside).open(Open::Emptied).map_err(|error| Failure::of(&error, check))?;
        let mut file = Steady::over(file);
        let request = Request::get(SNAPSHOT);
        let server = client.download(&request, TAKE_S_MAX, &mut file).await?;
        file.sync_all().map_err(|error| Failure::of(&error, check))?;
        let words = verify::verify(aside)?;
        let dir = dir_of(&self.file);
        fs::rename(aside, &self.file)
            .and_then(|()| File::open(dir)?.sync_all())
            .map_err(|error| Failure::of(&error, check))?;
        Ok((server, words))
    }
}

fn aside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}
