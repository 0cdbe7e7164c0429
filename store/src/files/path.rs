//! Where something is kept.

use super::real::Real;
use super::{Disk, DiskFile, Open};
use std::any::Any;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A path, and the disk that it is on. A path alone is one on the machine's own disk.
#[derive(Clone, Debug)]
pub struct DiskPath {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl DiskPath {
    /// The path `path` on `disk`.
    pub fn on(disk: Arc<dyn Disk>, path: impl Into<PathBuf>) -> Self {
        Self { disk, path: path.into() }
    }

    fn at(&self, path: PathBuf) -> Self {
        Self { disk: Arc::clone(&self.disk), path }
    }

    /// `name` below it.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> Self {
        self.at(self.path.join(name))
    }

    /// What it is in.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.path.parent().map(|parent| self.at(parent.to_owned()))
    }

    /// The same with another ending.
    #[must_use]
    pub fn with_extension(&self, extension: &str) -> Self {
        self.at(self.path.with_extension(extension))
    }

    /// The path alone, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path alone, as an error keeps it.
    #[must_use]
    pub fn to_path(&self) -> PathBuf {
        self.path.clone()
    }

    /// For messages.
    #[must_use]
    pub fn display(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// Its last part, if that is text.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.path.file_name().and_then(OsStr::to_str)
    }

    /// Its ending.
    #[must_use]
    pub fn extension(&self) -> Option<&OsStr> {
        self.path.extension()
    }

    /// Its last part without the ending, if that is text.
    #[must_use]
    pub fn stem(&self) -> Option<&str> {
        self.path.file_stem().and_then(OsStr::to_str)
    }

    /// See [`Disk::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(&self.path, how)
    }

    /// All bytes of the file.
    ///
    /// # Errors
    /// There is none, or the disk refused.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let file = self.open(Open::Reading)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// See [`Disk::exists`].
    #[must_use]
    pub fn exists(&self) -> bool {
        self.disk.exists(&self.path)
    }

    /// See [`Disk::list`].
    ///
    /// # Errors
    /// As there.
    pub fn list(&self) -> io::Result<Vec<Self>> {
        Ok(self.disk.list(&self.path)?.into_iter().map(|path| self.at(path)).collect())
    }

    /// See [`Disk::make_dir`].
    ///
    /// # Errors
    /// As there.
    pub fn make_dir(&self) -> io::Result<()> {
        self.disk.make_dir(&self.path)
    }

    /// See [`Disk::rename`]; `to` is on the same disk.
    ///
    /// # Errors
    /// As there.
    pub fn rename(&self, to: &Self) -> io::Result<()> {
        self.disk.rename(&self.path, &to.path)
    }

    /// See [`Disk::remove`].
    ///
    /// # Errors
    /// As there.
    pub fn remove(&self) -> io::Result<()> {
        self.disk.remove(&self.path)
    }

    /// See [`Disk::remove_dir`].
    ///
    /// # Errors
    /// As there.
    pub fn remove_dir(&self) -> io::Result<()> {
        self.disk.remove_dir(&self.path)
    }

    /// See [`Disk::sync_dir`].
    ///
    /// # Errors
    /// As there.
    pub fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir(&self.path)
    }

    /// See [`Disk::lock`].
    ///
    /// # Errors
    /// As there.
    pub fn lock(&self) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.disk.lock(&self.path)
    }

    /// See [`Disk::available`].
    ///
    /// # Errors
    /// As there.
    pub fn available(&self) -> io::Result<u64> {
        self.disk.available(&self.path)
    }

    /// See [`Disk::boot`].
    #[must_use]
    pub fn boot(&self) -> String {
        self.disk.boot()
    }
}

impl PartialEq for DiskPath {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.disk, &other.disk) && self.path == other.path
    }
}

impl Eq for DiskPath {}

impl<P: AsRef<Path>> From<P> for DiskPath {
    fn from(path: P) -> Self {
        Self::on(Real::shared(), path.as_ref())
    }
}

impl From<&DiskPath> for DiskPath {
    fn from(path: &DiskPath) -> Self {
        path.clone()
    }
}
