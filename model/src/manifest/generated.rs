//! Names that are made from a generateName. They follow from the submission's UID, so that all replicas make the same,
//! and whoever sees one can tell what it was made from.

use crate::{Digest, Uid};

/// Tries at a free name of a submission.
pub(crate) const TRIES_MAX: u32 = 8;
/// Suffixes of manifests are made apart from those of the submission.
const MANIFEST_SALT: u32 = 1000;
/// The letters that Kubernetes makes names of: no vowels, nothing that looks like another.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The name of the submission `uid`, at the given try.
#[must_use]
pub fn of_submission(prefix: &str, uid: Uid, tries: u32) -> String {
    format!("{prefix}{}", suffix(uid, tries))
}

/// The name of a manifest of it.
#[must_use]
pub fn of_manifest(prefix: &str, uid: Uid, position: usize) -> String {
    format!("{prefix}{}", suffix(uid, manifest_salt(position)))
}

/// What the name of the submission `uid` was made from; `None` if it is as it was written.
#[must_use]
pub fn prefix_of_submission(name: &str, uid: Uid) -> Option<&str> {
    (0..TRIES_MAX).find_map(|tries| name.strip_suffix(&suffix(uid, tries)))
}

/// The same of the name of a manifest of it.
#[must_use]
pub fn prefix_of_manifest(name: &str, uid: Uid, position: usize) -> Option<&str> {
    name.strip_suffix(&suffix(uid, manifest_salt(position)))
}

fn manifest_salt(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX).saturating_add(MANIFEST_SALT)
}

/// Five characters that follow from `uid` and `salt`.
fn suffix(uid: Uid, salt: u32) -> String {
    let mut seed = uid.0.to_vec();
    seed.extend(salt.to_be_bytes());
    let digest = Digest::of(&seed);
    digest.0.iter().take(5).map(|&byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_was_made_from_is_told_by_whose_it_is() {
        let (uid, other) = (Uid::from_random([1; 16]), Uid::from_random([2; 16]));
        for tries in 0..TRIES_MAX {
            let name = of_submission("nightly-", uid, tries);
            assert_eq!(prefix_of_submission(&name, uid), Some("nightly-"));
            assert_eq!(prefix_of_submission(&name, other), None);
        }
        let name = of_manifest("report-", uid, 3);
        assert_eq!(prefix_of_manifest(&name, uid, 3), Some("report-"));
        assert_eq!(prefix_of_manifest(&name, uid, 2), None);
        assert_eq!(prefix_of_submission("nightly", uid), None);
    }
}
