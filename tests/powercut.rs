//! Power cuts: real replicas, each on an ext4 of its own in an image file, lose power while clients write.
//! Needs root and loop devices, so it is asked for: `cargo test --test powercut -- --ignored --nocapture`;
//! `POWERCUT_ROUNDS` (20) says how often, `POWERCUT_SEED` repeats the choices, `TALLYMAN_BIN` names another binary.
//! Results: `powercut/RESULTS.md`.
//!
//! **Why a copy of the image is what a power cut leaves.** A replica's files are on an ext4 that is mounted from an
//! image through a loop device. What is written there and not synced exists in the page cache of that inner file
//! system alone; it reaches the image only when the inner file system sends it to its block device, by a sync or by
//! writeback. So the image holds what a disk would hold at that moment, and dirty pages are not in it. What remains
//! is to stop time while it is copied, because writeback would go on beneath a process that is merely killed, and
//! even an unmount would write everything out. Hence, in this order:
//!
//! 1. SIGSTOP to all victims: no more answers leave. What was acknowledged by now is what may not be lost.
//! 2. `EXT4_IOC_SHUTDOWN` without a flush of the journal on each inner file system: from here on neither syncs nor
//!    writeback nor the journal send anything more to the image. A thread that is amid an fdatasync gets an error,
//!    and never a chance to act on it.
//! 3. The image is copied. Blocks that ext4 had committed to its journal and was still putting into their places may
//!    be there or not, as on a real disk; mounting replays the journal.
//! 4. SIGKILL. The mount lived in the mount namespace of the process and goes with it; it is never written out.
//! 5. The copy is mounted, with the journal's recovery, for a new process that is told another boot id: as after a
//!    real stop of a machine, nothing that only survives a kill may be believed.
//!
//! Two tests hold the rig to that: what was not synced is gone after a cut, and replicas whose fsync does nothing
//! are found to have lost what they acknowledged. The commit interval of the inner journal is drawn too: at 300 s
//! nothing is saved by a timer, at 1 s metadata is ahead of data.
//!
//! A replica is also cut off from its peers while another one's power is: all that they say to each other goes through
//! proxies of the test, which hold it back meanwhile, and let it arrive late. Clients reach it all the time.
//!
//! What it does not model: a disk that loses blocks which it took but was not told to flush, or reorders them; and that
//! a machine that was cut is silent: its connections are reset when its process is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "powercut/check.rs"]
mod check;
#[path = "system/dev.rs"]
mod dev;
#[path = "powercut/group.rs"]
mod group;
#[path = "system/history.rs"]
mod history;
#[path = "powercut/honest.rs"]
mod honest;
#[path = "powercut/machine.rs"]
mod machine;
#[path = "powercut/rounds.rs"]
mod rounds;
#[path = "powercut/wires.rs"]
mod wires;
#[path = "powercut/writers.rs"]
mod writers;
