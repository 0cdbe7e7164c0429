//! Work that gives way to everything else.

use std::panic::resume_unwind;
use std::{io, thread};

/// How much its thread gives way: where there is more to do than there are cores, it gets a third of what others get.
const NICENESS: i32 = 5;

/// Runs `work`, which reads or writes all that there is, while others are answered. Blocks until it is done.
///
/// # Errors
/// There can be no thread more: it did not run.
pub(crate) fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    // A thread that gave way cannot take it back, so it is one of its own.
    thread::scope(|scope| {
        let own = thread::Builder::new().name("tallyman-aside".to_owned());
        let working = own.spawn_scoped(scope, || {
            if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                tracing::debug!(%error, "long work does not give way");
            }
            work()
        })?;
        Ok(working.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}
