//! What a data directory was made with: a random number that no other directory has, and the name of its group.

use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use tallyman_model::{Env, Uid};
use tallyman_store::codec::{self, Kind};

const FILE: &str = "directory";

/// Says which directory this is. It outlives neither a wipe nor a new volume, which is what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    /// Random.
    pub(crate) uid: Uid,
    /// The group's name in the configuration when it was made.
    pub(crate) group: String,
}

impl Directory {
    /// Reads it from `dir`, or makes it, durably; a directory that `is_used` must have one.
    pub(crate) fn open(dir: &Path, group: &str, env: &dyn Env, is_used: bool) -> io::Result<Self> {
        let path = dir.join(FILE);
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        match fs::read(&path) {
            Ok(bytes) => codec::decode(Kind::Directory, &bytes).map_err(invalid),
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_used => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "it is missing"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = Self { uid: env.uid(), group: group.to_owned() };
                let aside = dir.join("directory.unfinished");
                let mut file = File::create(&aside)?;
                file.write_all(&codec::encode(Kind::Directory, &directory).map_err(invalid)?)?;
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
        assert!(Directory::open(one.path(), "books", &env, true).is_err());
        let made = Directory::open(one.path(), "books", &env, false).unwrap();
        assert_eq!(Directory::open(one.path(), "other", &env, true).unwrap(), made);
        assert_ne!(Directory::open(two.path(), "books", &env, false).unwrap().uid, made.uid);
    }

    #[test]
    fn a_flipped_bit_never_gives_another_number_or_name() {
        let dir = tempfile::tempdir().unwrap();
        Directory::open(dir.path(), "books", &TestEnv::new(1), false).unwrap();
        let bytes = fs::read(dir.path().join(FILE)).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(dir.path().join(FILE), flipped).unwrap();
            assert!(Directory::open(dir.path(), "books", &TestEnv::new(2), true).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn it_is_written_as_ever() {
        let golden = include_bytes!("../tests/golden/directory.bin");
        let directory = Directory { uid: Uid([7; 16]), group: "books".to_owned() };
        assert_eq!(codec::encode(Kind::Directory, &directory).unwrap(), golden);
        assert_eq!(codec::decode::<Directory>(Kind::Directory, golden).unwrap(), directory);
    }
}
