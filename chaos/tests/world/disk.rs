//! A disk that keeps what it must, and nothing else.
//!
//! What was synced is there after a power cut. Of what was not, each sector is there or not by itself; names that were
//! not synced are there up to one moment, as a journal keeps them. A failed sync is worse than none: what it was for
//! reads as written, and a later sync that succeeds does not make it durable.

mod file;
mod names;

use super::numbers::Numbers;
use file::Node;
use names::Names;
use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tallyman_store::files::{Disk, DiskFile, Open};

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    numbers: Numbers,
    names: Names,
    /// Rises with each start of the machine: who had something open before has it no more.
    run: u64,
    /// Operations until the power goes.
    operations_left: Option<u64>,
    is_off: bool,
    /// One sync or write in so many fails; 0: none.
    failing_once_in: u64,
    /// One read in so many fails; 0: none.
    failing_reads_once_in: u64,
    bytes_max: u64,
    locked: Vec<PathBuf>,
    /// What happened, for whoever checks that something did.
    pub(crate) counts: Counts,
}

/// How often faults took effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) operations: u64,
    pub(crate) power_cuts: u64,
    pub(crate) sectors_lost: u64,
    pub(crate) names_lost: u64,
    pub(crate) failures: u64,
    pub(crate) failed_reads: u64,
    pub(crate) bits_flipped: u64,
    pub(crate) refused_full: u64,
}

impl SimulatedDisk {
    /// An empty one with the directory `dir`.
    pub(crate) fn with(dir: &str, mut numbers: Numbers) -> Self {
        let mut names = Names::default();
        names.is_unordered = numbers.once_in(2);
        names.make_dir(Path::new(dir));
        names.sync_all();
        Self(Arc::new(Mutex::new(State {
            numbers,
            names,
            run: 1,
            operations_left: None,
            is_off: false,
            failing_once_in: 0,
            failing_reads_once_in: 0,
            bytes_max: u64::MAX,
            locked: Vec::new(),
            counts: Counts::default(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The power goes after `operations` more that change something.
    pub(crate) fn cut_power_after(&self, operations: u64) {
        self.state().operations_left = Some(operations);
    }

    /// One write or sync in so many fails from now on; 0: none.
    pub(crate) fn fail_once_in(&self, times: u64) {
        self.state().failing_once_in = times;
    }

    /// One read in so many fails from now on; 0: none.
    pub(crate) fn fail_reads_once_in(&self, times: u64) {
        self.state().failing_reads_once_in = times;
    }

    /// There is room for so many bytes.
    pub(crate) fn limit(&self, bytes_max: u64) {
        self.state().bytes_max = bytes_max;
    }

    pub(crate) fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// The power goes, if it has not, and comes back. What was open before is not.
    pub(crate) fn power_cycle(&self) {
        let mut state = self.state();
        state.lose_what_is_not_durable();
        state.restart();
    }

    /// The process that used it was killed, and the machine goes on: nothing is lost.
    pub(crate) fn kill(&self) {
        self.state().locked.clear();
    }

    /// Flips one bit of what is kept in a file whose path ends so; gives which, if there was one.
    pub(crate) fn rot(&self, ending: &str) -> Option<(PathBuf, u64)> {
        let mut state = self.state();
        let files: Vec<PathBuf> = state.names.files().filter(|path| ends(path, ending)).collect();
        let count = u64::try_from(files.len()).unwrap();
        let path = files.get(usize::try_from(state.numbers.below(count.max(1))).unwrap())?.clone();
        let node = state.names.file(&path)?;
        let bits = node.lock().unwrap().content.len() * 8;
        if bits == 0 {
            return None;
        }
        let bit = state.numbers.below(bits);
        node.lock().unwrap().flip(bit);
        state.counts.bits_flipped += 1;
        Some((path, bit))
    }
}

fn ends(path: &Path, ending: &str) -> bool {
    path.to_string_lossy().ends_with(ending)
}

fn is_off() -> io::Error {
    io::Error::other("the machine is off")
}

impl State {
    /// Counts an operation that changes something; the power may go with it, before it has an effect.
    fn operate(&mut self) -> io::Result<()> {
        self.counts.operations += 1;
        match &mut self.operations_left {
            Some(0) => self.is_off = true,
            Some(left) => *left -= 1,
            None => {}
        }
        if self.is_off { Err(is_off()) } else { Ok(()) }
    }

    fn fails(&mut self) -> bool {
        let fails = self.failing_once_in > 0 && self.numbers.once_in(self.failing_once_in);
        self.counts.failures += u64::from(fails);
        fails
    }

    fn fails_to_read(&mut self) -> bool {
        let fails = self.failing_reads_once_in > 0 && self.numbers.once_in(self.failing_reads_once_in);
        self.counts.failed_reads += u64::from(fails);
        fails
    }

    fn lose_what_is_not_durable(&mut self) {
        let Self { numbers, names, counts, .. } = self;
        counts.power_cuts += 1;
        counts.names_lost += names.lose(numbers);
        for node in names.nodes() {
            counts.sectors_lost += node.lock().unwrap().lose(numbers);
        }
    }

    fn restart(&mut self) {
        self.run += 1;
        (self.operations_left, self.is_off) = (None, false);
        self.locked.clear();
    }

    fn used_bytes(&self) -> u64 {
        self.names.nodes().map(|node| node.lock().unwrap().content.len()).sum()
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        if state.is_off {
            return Err(is_off());
        }
        let node = match (state.names.file(path), how) {
            (Some(_), Open::New) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(node), Open::Emptied) => {
                state.operate()?;
                node.lock().unwrap().set_len(0);
                node
            }
            (Some(node), _) => node,
            (None, Open::Reading | Open::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::New | Open::Emptied | Open::Kept) => {
                state.operate()?;
                state.names.create(path)?
            }
        };
        Ok(Arc::new(OpenFile { disk: self.clone(), run: state.run, node }))
    }

    fn exists(&self, path: &Path) -> bool {
        self.state().names.exists(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.state().names.list(dir)
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.names.make_dir(dir);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.names.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.names.remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.names.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        if state.fails() {
            return Err(io::Error::other("the directory cannot be synced"));
        }
        state.names.sync(dir);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let file = self.open(path, Open::Kept)?;
        let mut state = self.state();
        if state.locked.iter().any(|locked| locked == path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked.push(path.to_owned());
        Ok(Box::new(Lock { disk: self.clone(), run: state.run, path: path.to_owned(), _file: file }))
    }

    fn available(&self, _dir: &Path) -> io::Result<u64> {
        let state = self.state();
        Ok(state.bytes_max.saturating_sub(state.used_bytes()))
    }

    fn boot(&self) -> String {
        self.state().run.to_string()
    }
}

struct Lock {
    disk: SimulatedDisk,
    run: u64,
    path: PathBuf,
    _file: Arc<dyn DiskFile>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.run == self.run {
            state.locked.retain(|locked| *locked != self.path);
        }
    }
}

#[derive(Debug)]
struct OpenFile {
    disk: SimulatedDisk,
    run: u64,
    node: Node,
}

impl OpenFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.is_off || state.run != self.run { Err(is_off()) } else { Ok(state) }
    }

    fn change(&self, grows_by: u64, change: impl FnOnce(&mut file::File)) -> io::Result<()> {
        let mut state = self.state()?;
        state.operate()?;
        if grows_by > 0 && state.used_bytes() + grows_by > state.bytes_max {
            state.counts.refused_full += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        if state.fails() {
            return Err(io::Error::other("the disk does not take it"));
        }
        change(&mut self.node.lock().unwrap());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state()?;
        state.operate()?;
        let mut file = self.node.lock().unwrap();
        if state.fails() {
            file.forget();
            return Err(io::Error::other("the file cannot be synced"));
        }
        file.sync();
        Ok(())
    }
}

impl DiskFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        let _state = self.state()?;
        Ok(self.node.lock().unwrap().content.len())
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        if self.state()?.fails_to_read() {
            return Err(io::Error::other("the disk cannot read it"));
        }
        self.node.lock().unwrap().content.read(bytes, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        let grows_by = end.saturating_sub(self.len()?);
        self.change(grows_by, |file| file.write(bytes, offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(0, |file| file.set_len(len))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let grows_by = len.saturating_sub(self.len()?);
        self.change(grows_by, |file| file.set_len(len.max(file.content.len())))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }
}
