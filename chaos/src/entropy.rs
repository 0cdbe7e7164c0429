//! The only place that takes random bytes: uids and generated names.

/// What Kubernetes makes generated names of: no vowels, and nothing that looks like another letter.
const NAME_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A random version 4 UUID.
///
/// # Errors
/// The system gave no random bytes.
pub(crate) fn uid() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    let random = u128::from_be_bytes(bytes);
    let versioned = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{versioned:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    Ok(parts.join("-"))
}

/// Five letters to end a generated name with.
///
/// # Errors
/// The system gave no random bytes.
pub(crate) fn name_suffix() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 5];
    getrandom::fill(&mut bytes)?;
    let letter =
        |byte: &u8| NAME_LETTERS.get(usize::from(*byte) % NAME_LETTERS.len()).copied().unwrap_or(b'x');
    Ok(bytes.iter().map(letter).map(char::from).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_uid_is_a_version_4_uuid() {
        let uid = uid().unwrap();
        assert_eq!(uid.len(), 36, "{uid}");
        assert_eq!(uid.as_bytes()[14], b'4', "{uid}");
        assert!(b"89ab".contains(&uid.as_bytes()[19]), "{uid}");
    }
}
