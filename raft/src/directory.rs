//! What a data directory was made with: a random number that no other directory has, the name of its group, and the
//! address under which its replica joined.

use crate::content::invalid;
use serde::{Deserialize, Serialize};
use std::io;
use tallyman_model::{Env, Uid};
use tallyman_store::codec::{self, Kind};
use tallyman_store::files::{DiskPath, write_whole};

const FILE: &str = "directory";

/// Says which directory this is. It outlives neither a wipe nor a new volume, which is what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    /// Random.
    pub(crate) uid: Uid,
    /// The group's name in the configuration when it was made.
    pub(crate) group: String,
    /// The address at which the peers know its replica.
    pub(crate) address: String,
}

impl Directory {
    /// Reads it from `dir`, or makes it for the replica of `group` at `address`, durably; a directory that `is_used`
    /// must have one. A blank replica may still move to another address.
    pub(crate) fn open(
        dir: &DiskPath,
        (group, address): (&str, &str),
        env: &dyn Env,
        is_used: bool,
    ) -> io::Result<Self> {
        let found = match dir.join(FILE).read() {
            Ok(bytes) => Some(codec::decode::<Self>(Kind::Directory, &bytes).map_err(invalid)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_used => {
                return Err(invalid("it is missing"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match found {
            Some(found) if is_used || found.address == address => Ok(found),
            found => {
                let (uid, group) =
                    found.map_or_else(|| (env.uid(), group.to_owned()), |it| (it.uid, it.group));
                let directory = Self { uid, group, address: address.to_owned() };
                let bytes = codec::encode(Kind::Directory, &directory).map_err(invalid)?;
                write_whole(&dir.join(FILE), &bytes)?;
                Ok(directory)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::testing::TestEnv;
    use std::fs;

    #[test]
    fn a_directory_keeps_its_number_and_another_one_has_another() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let env = TestEnv::new(1);
        assert!(Directory::open(&one.path().into(), ("books", "a:1"), &env, true).is_err());
        let made = Directory::open(&one.path().into(), ("books", "a:1"), &env, false).unwrap();
        let moved = Directory::open(&one.path().into(), ("books", "b:1"), &env, false).unwrap();
        assert_eq!(moved, Directory { address: "b:1".to_owned(), ..made.clone() });
        assert_eq!(Directory::open(&one.path().into(), ("other", "c:1"), &env, true).unwrap(), moved);
        assert_ne!(Directory::open(&two.path().into(), ("books", "a:1"), &env, false).unwrap().uid, made.uid);
    }

    #[test]
    fn a_flipped_bit_never_gives_another_number_or_name() {
        let dir = tempfile::tempdir().unwrap();
        Directory::open(&dir.path().into(), ("books", "a:1"), &TestEnv::new(1), false).unwrap();
        let bytes = fs::read(dir.path().join(FILE)).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(dir.path().join(FILE), flipped).unwrap();
            let opened = Directory::open(&dir.path().into(), ("books", "a:1"), &TestEnv::new(2), true);
            assert!(opened.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn it_is_written_as_ever() {
        let golden = include_bytes!("../tests/golden/directory.bin");
        let directory = Directory { uid: Uid([7; 16]), group: "books".to_owned(), address: "a:1".to_owned() };
        assert_eq!(codec::encode(Kind::Directory, &directory).unwrap(), golden);
        assert_eq!(codec::decode::<Directory>(Kind::Directory, golden).unwrap(), directory);
    }
}
