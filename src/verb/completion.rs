//! `tallyman completion`: what a shell needs to complete commands and options.

use crate::exit::{Exit, Failure};
use clap_complete::Shell;

const AFTER_HELP: &str = "\
Examples:
  source <(tallyman completion bash)
  tallyman completion zsh > ~/.zfunc/_tallyman
  tallyman completion fish > ~/.config/fish/completions/tallyman.fish
  tallyman completion powershell >> $PROFILE";

/// Write a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(&self, command: &mut clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "tallyman", &mut script);
        super::man::write(&script).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("failed to write the script: {error}"),
                "tallyman completion bash",
            )
        })
    }
}
