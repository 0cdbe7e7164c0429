//! The data directory of one replica: whose it is, and that nobody else has it open.

use crate::codec::{self, CodecError, Kind};
use crate::files::{self, DiskPath};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

const IDENTITY: &str = "identity";
const LOCK: &str = "lock";
/// Why the replica was put out of service.
const OUT_OF_SERVICE: &str = "out-of-service";
/// Where [`set_aside`] puts what was in a data directory: this, and a number.
const ASIDE: &str = "damaged-";
/// What every replica that has an id leaves behind.
const BOUND: [&str; 2] = ["watermark", "log"];
/// What only a replica that was used leaves behind.
const USED: [&str; 5] = ["watermark", "log", "inventory", "ledger", "snapshots"];

/// Who a data directory belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The group's id; `None` until this replica was initialised or has joined.
    pub group: Option<[u8; 16]>,
    /// The replica's id; `None` until it has joined. It is never changed.
    pub replica: Option<u64>,
    /// How often the directory was opened: one process has one number, and no later one has it again.
    pub incarnation: u64,
}

/// Why a data directory cannot be used. Nothing in it was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HomeError {
    /// The file system refused.
    #[error("failed to use the data directory {}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has it open.
    #[error(
        "failed to open the data directory {}: another process uses it; stop that one, or give this replica a directory of its own",
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The identity cannot be read.
    #[error("failed to read whose data directory {} is", dir.display())]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CodecError,
    },
    /// Data without an identity.
    #[error("failed to open the data directory {}: it holds data ({found}) but no identity", dir.display())]
    IdentityMissing {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        found: &'static str,
    },
    /// An identity without data: what the replica once confirmed is gone.
    #[error("failed to open the data directory {}: it is of replica r{replica}, but its {missing} is missing", dir.display())]
    DataMissing {
        /// The directory.
        dir: PathBuf,
        /// The replica that it belongs to.
        replica: u64,
        /// What is not there.
        missing: &'static str,
    },
    /// The replica was put out of service with this directory.
    #[error("failed to open the data directory {}: it is out of service: {why}", dir.display())]
    OutOfService {
        /// The directory.
        dir: PathBuf,
        /// Why.
        why: String,
    },
    /// It belongs to another group.
    #[error(
        "failed to use the data directory {}: it belongs to group {}, not to {}; check `data_dir` and `group` in the configuration",
        dir.display(), hex(found), hex(wanted)
    )]
    OtherGroup {
        /// The directory.
        dir: PathBuf,
        /// The group that it belongs to.
        found: [u8; 16],
        /// The group that it was to be used for.
        wanted: [u8; 16],
    },
    /// It belongs to another replica.
    #[error(
        "failed to use the data directory {}: it is of replica r{found}, not of r{wanted}; an id is never given to other data",
        dir.display()
    )]
    OtherReplica {
        /// The directory.
        dir: PathBuf,
        /// The replica that it belongs to.
        found: u64,
        /// The replica that it was to be used for.
        wanted: u64,
    },
}

impl HomeError {
    /// True when the directory does not hold what it should: the replica is replaced by one with an empty directory.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::IdentityMissing { .. }
                | Self::DataMissing { .. }
                | Self::OutOfService { .. }
        )
    }
}

/// Puts the data directory `dir` out of service, durably: opening it is refused from now on, with `why`.
///
/// # Errors
/// The write failed.
pub fn put_out_of_service(dir: impl Into<DiskPath>, why: &str) -> Result<(), HomeError> {
    let dir = dir.into();
    files::write_whole(&dir.join(OUT_OF_SERVICE), why.as_bytes())
        .map_err(|source| HomeError::Io { dir: dir.to_path(), source })
}

/// Moves all that is in the data directory `dir` into a directory of its own inside it, and gives that: the replica
/// that starts there is a blank one. Nothing is deleted. It works for a directory that is a volume, which cannot be
/// renamed.
///
/// # Errors
/// [`HomeError::InUse`]; or the file system refused: some is moved, and what is left is refused as damage.
pub fn set_aside(dir: &Path) -> Result<PathBuf, HomeError> {
    let failed = |source| HomeError::Io { dir: dir.to_owned(), source };
    let _lock = lock(&dir.into())?;
    let mut number = 1;
    let aside = loop {
        let aside = dir.join(format!("{ASIDE}{number}"));
        match fs::create_dir(&aside) {
            Ok(()) => break aside,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(failed(error)),
        }
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    names.retain(|name| name != LOCK && !name.to_string_lossy().starts_with(ASIDE));
    // The identity first: data without one is never used.
    names.sort_unstable_by_key(|name| name != IDENTITY);
    for name in names {
        fs::rename(dir.join(&name), aside.join(&name)).map_err(failed)?;
        DiskPath::from(dir).sync_dir().map_err(failed)?;
    }
    Ok(aside)
}

/// Held for as long as the directory is in use.
type Lock = Box<dyn Any + Send + Sync>;

fn lock(dir: &DiskPath) -> Result<Lock, HomeError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => HomeError::InUse { dir: dir.to_path() },
        _ => HomeError::Io { dir: dir.to_path(), source: error },
    };
    dir.make_dir().map_err(failed)?;
    dir.join(LOCK).lock().map_err(failed)
}

/// An open, locked data directory.
#[derive(Debug)]
pub struct Home {
    dir: DiskPath,
    identity: Identity,
    _lock: Lock,
}

impl Home {
    /// Opens `dir`, makes it if it is not there, locks it for this process and counts the incarnation.
    ///
    /// # Errors
    /// A [`HomeError`] that says what to do.
    pub fn open(dir: impl Into<DiskPath>) -> Result<Self, HomeError> {
        let dir = dir.into();
        let lock = lock(&dir)?;
        let identity = Self::read(&dir)?;
        let mut home = Self { dir, identity, _lock: lock };
        home.write(Identity { incarnation: identity.incarnation + 1, ..identity })?;
        Ok(home)
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &DiskPath {
        &self.dir
    }

    /// Whose directory it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// That a directory that is bound to a replica has what every such directory has. To be called once nothing is to
    /// be swapped in any more.
    ///
    /// # Errors
    /// [`HomeError::DataMissing`].
    pub fn check_data(&self) -> Result<(), HomeError> {
        let missing = BOUND.into_iter().find(|name| !self.dir.join(name).exists());
        match (self.identity.replica, missing) {
            (Some(replica), Some(missing)) => {
                Err(HomeError::DataMissing { dir: self.dir.to_path(), replica, missing })
            }
            _ => Ok(()),
        }
    }

    /// Binds the directory to `group`, durably; nothing happens when it is bound to it already.
    ///
    /// # Errors
    /// [`HomeError::OtherGroup`], or the write failed.
    pub fn bind_group(&mut self, group: [u8; 16]) -> Result<(), HomeError> {
        match self.identity.group {
            Some(found) if found != group => {
                Err(HomeError::OtherGroup { dir: self.dir.to_path(), found, wanted: group })
            }
            Some(_) => Ok(()),
            None => self.write(Identity { group: Some(group), ..self.identity }),
        }
    }

    /// Binds the directory to the replica id `replica`, durably; nothing happens when it has it already.
    ///
    /// # Errors
    /// [`HomeError::OtherReplica`], or the write failed.
    pub fn bind_replica(&mut self, replica: u64) -> Result<(), HomeError> {
        match self.identity.replica {
            Some(found) if found != replica => {
                Err(HomeError::OtherReplica { dir: self.dir.to_path(), found, wanted: replica })
            }
            Some(_) => Ok(()),
            None => self.write(Identity { replica: Some(replica), ..self.identity }),
        }
    }

    fn read(dir: &DiskPath) -> Result<Identity, HomeError> {
        match dir.join(OUT_OF_SERVICE).read() {
            Ok(why) => {
                let why = String::from_utf8_lossy(&why).into_owned();
                return Err(HomeError::OutOfService { dir: dir.to_path(), why });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(HomeError::Io { dir: dir.to_path(), source }),
        }
        match dir.join(IDENTITY).read() {
            Ok(bytes) => codec::decode(Kind::Identity, &bytes)
                .map_err(|source| HomeError::Damaged { dir: dir.to_path(), source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match USED.iter().copied().find(|name| dir.join(name).exists()) {
                    Some(found) => Err(HomeError::IdentityMissing { dir: dir.to_path(), found }),
                    None => Ok(Identity::default()),
                }
            }
            Err(source) => Err(HomeError::Io { dir: dir.to_path(), source }),
        }
    }

    fn write(&mut self, identity: Identity) -> Result<(), HomeError> {
        let dir = || self.dir.to_path();
        let bytes = codec::encode(Kind::Identity, &identity)
            .map_err(|source| HomeError::Damaged { dir: dir(), source })?;
        files::write_whole(&self.dir.join(IDENTITY), &bytes)
            .map_err(|source| HomeError::Io { dir: dir(), source })?;
        self.identity = identity;
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn an_identity_is_kept_and_each_opening_is_a_new_incarnation() {
        let dir = tempfile::tempdir().unwrap();
        let mut home = Home::open(dir.path()).unwrap();
        assert_eq!(home.identity(), Identity { group: None, replica: None, incarnation: 1 });
        home.bind_group([7; 16]).unwrap();
        home.bind_replica(3).unwrap();
        assert!(matches!(home.check_data(), Err(HomeError::DataMissing { replica: 3, .. })));
        drop(home);
        BOUND.iter().for_each(|name| fs::create_dir(dir.path().join(name)).unwrap());
        let home = Home::open(dir.path()).unwrap();
        home.check_data().unwrap();
        assert_eq!(home.identity(), Identity { group: Some([7; 16]), replica: Some(3), incarnation: 2 });
    }

    #[test]
    fn one_directory_is_not_opened_twice() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        assert!(matches!(Home::open(dir.path()), Err(HomeError::InUse { .. })));
        drop(home);
        Home::open(dir.path()).unwrap();
    }

    #[test]
    fn the_directory_of_another_group_or_replica_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut home = Home::open(dir.path()).unwrap();
        home.bind_group([7; 16]).unwrap();
        home.bind_replica(3).unwrap();
        assert!(matches!(home.bind_group([8; 16]), Err(HomeError::OtherGroup { .. })));
        assert!(matches!(home.bind_replica(4), Err(HomeError::OtherReplica { found: 3, wanted: 4, .. })));
        home.bind_group([7; 16]).unwrap();
    }

    #[test]
    fn data_without_an_identity_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        assert!(matches!(Home::open(dir.path()), Err(HomeError::IdentityMissing { found: "log", .. })));
    }

    #[test]
    fn a_directory_that_was_put_out_of_service_is_refused_until_it_is_set_aside_and_nothing_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        fs::write(dir.path().join("watermark"), b"12").unwrap();
        assert!(matches!(set_aside(dir.path()), Err(HomeError::InUse { .. })));
        put_out_of_service(dir.path(), "it has less than it confirmed").unwrap();
        drop(home);
        let refused = Home::open(dir.path()).unwrap_err();
        assert!(refused.is_damage() && refused.to_string().ends_with("it has less than it confirmed"));
        for number in 1..3 {
            let aside = set_aside(dir.path()).unwrap();
            assert_eq!(aside, dir.path().join(format!("damaged-{number}")));
            assert_eq!(Home::open(dir.path()).unwrap().identity().incarnation, 1);
        }
        assert_eq!(fs::read(dir.path().join("damaged-1/watermark")).unwrap(), b"12");
    }
}
