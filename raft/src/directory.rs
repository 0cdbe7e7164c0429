//! What a data directory was made with: a random number that no other directory has, and the name of its group.

use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use tallyman_model::{Env, Uid};

const FILE: &str = "directory.json";

/// Says which directory this is. It outlives neither a wipe nor a new volume, which is what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    /// Random.
    pub(crate) uid: Uid,
    /// The group's name in the configuration when it was made.
    pub(crate) group: String,
}

impl Directory {
    /// Reads it from `dir`, or makes it, durably.
    pub(crate) fn open(dir: &Path, group: &str, env: &dyn Env) -> io::Result<Self> {
        let path = dir.join(FILE);
        match fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = Self { uid: env.uid(), group: group.to_owned() };
                let aside = dir.join("directory.unfinished");
                let mut file = File::create(&aside)?;
                file.write_all(&serde_json::to_vec(&directory)?)?;
                file.sync_all()?;
                fs::rename(&aside, &path)?;
                File::open(dir)?.sync_all()?;
                Ok(directory)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::testing::TestEnv;

    #[test]
    fn a_directory_keeps_its_number_and_another_one_has_another() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let env = TestEnv::new(1);
        let made = Directory::open(one.path(), "books", &env).unwrap();
        assert_eq!(Directory::open(one.path(), "other", &env).unwrap(), made);
        assert_ne!(Directory::open(two.path(), "books", &env).unwrap().uid, made.uid);
    }
}
