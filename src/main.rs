//! The `tallyman` binary: one replica, a whole group on one machine, and the client.

mod bundle;
mod chain;
mod cli;
mod client;
mod config;
mod dev;
mod drill;
mod env;
mod environment;
mod exit;
mod follow;
mod live;
mod output;
mod runnable;
mod screen;
mod select;
mod server;
mod telemetry;
mod timeline;
mod usage;
mod verb;
mod waiting;

use clap::Parser as _;
use exit::{Exit, Failure};
use std::process::ExitCode;

/// A write makes thousands of small allocations on one thread and frees them on another, which glibc and musl are slow
/// at.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let ended = match cli::Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => match usage::failure(&error) {
            Some(failure) => Err(failure),
            // Help or the version, in the form that clap gives it.
            None => error.exit(),
        },
    };
    match ended {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            screen::complain(&failure.text());
            failure.exit.into()
        }
    }
}

fn run(cli: cli::Cli) -> Result<(), Failure> {
    // Whoever installed one before us installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("failed to start: {error}"),
            "check the limits of threads and open files",
        )
    })?;
    let ended = runtime.block_on(cli.run());
    // A thread that still reads standard input must not hold the process.
    runtime.shutdown_background();
    ended
}
