//! A report's signature: Ed25519 over its bytes, by a key that is kept on the machine from which drills are run.
//!
//! ```text
//!  {"report": {...}, "signature": {"algorithm": "ed25519", "publicKey": "<hex>", "value": "<hex>"}}
//! ```
//!
//! It proves that nothing was changed since whoever has the key sealed it; who that is, readers know by the public key.

use super::page;
use super::report::Report;
use crate::env::Machine;
use crate::exit::{Exit, Failure};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use tallyman_model::Env as _;

const ALGORITHM: &str = "ed25519";
/// Stands before the bytes that are signed, so that the signature is of nothing else.
const CONTEXT: &[u8] = b"tallyman drill report\n";
/// The longest report that is read.
const REPORT_BYTES_MAX: u64 = 256 * 1024 * 1024;
const SEED_BYTES: usize = 32;

/// A key that signs.
pub(crate) struct Key(Ed25519KeyPair);

impl Key {
    /// The key in a file; a new one if there is none.
    ///
    /// # Errors
    /// It cannot be made or read, is none, or others may read it.
    pub(crate) fn at(path: &Path) -> Result<Self, Failure> {
        let unusable = |why: String| {
            let message = format!("failed to use the key in {}: {why}", path.display());
            Failure::new(Exit::Failed, message, "name a file that only you may read, or none yet: --key FILE")
        };
        let broken = |error: std::io::Error| unusable(error.to_string());
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => make(path).map_err(broken)?,
            text => text.map_err(broken)?,
        };
        if fs::metadata(path).map_err(broken)?.permissions().mode() & 0o077 != 0 {
            return Err(unusable("others than its owner may read it".to_owned()));
        }
        let seed = unhex(text.trim()).filter(|seed| seed.len() == SEED_BYTES);
        let seed = seed.ok_or_else(|| unusable("it is none".to_owned()))?;
        Self::of(&seed).ok_or_else(|| unusable("it is none".to_owned()))
    }

    fn of(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// By which readers know who signed.
    pub(crate) fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// The report with its signature, as a file holds it.
    pub(crate) fn seal(&self, report: &Report) -> String {
        // In a page, `<` could end what it is in; inside a JSON text both forms mean the same.
        let text = serde_json::to_string(report).unwrap_or_default().replace('<', "\\u003c");
        let value = hex(self.0.sign(&signed(&text)).as_ref());
        let signature = Signature { algorithm: ALGORITHM.to_owned(), public_key: self.public(), value };
        let signature = serde_json::to_string(&signature).unwrap_or_default();
        format!("{{\"report\":{text},\n\"signature\":{signature}}}\n")
    }
}

fn make(path: &Path) -> std::io::Result<String> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::create_dir_all(dir)?;
    }
    let mut seed = [0; SEED_BYTES];
    Machine.random(&mut seed);
    let text = hex(&seed);
    let mut file = File::options().create_new(true).write(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    Ok(text)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Signature {
    algorithm: String,
    public_key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<'a> {
    #[serde(borrow)]
    report: &'a RawValue,
    signature: Signature,
}

/// A report whose signature is right.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) report: Report,
    /// Whose key signed it.
    pub(crate) public_key: String,
}

/// Opens a sealed report, or the page that was made of one.
///
/// # Errors
/// Why it must not be relied on, in words.
pub(crate) fn open(text: &str) -> Result<Opened, String> {
    let Some(sealed) = page::sealed(text) else { return open_sealed(text) };
    let opened = open_sealed(sealed)?;
    if page::page(&opened.report, sealed, &opened.public_key) != text {
        return Err(
            "the page is not what its report makes: it was changed, or made by another version".to_owned()
        );
    }
    Ok(opened)
}

fn open_sealed(text: &str) -> Result<Opened, String> {
    let sealed: Sealed<'_> =
        serde_json::from_str(text).map_err(|error| format!("it is no sealed report: {error}"))?;
    let Signature { algorithm, public_key, value } = sealed.signature;
    if algorithm != ALGORITHM {
        return Err(format!("it is signed by {algorithm:?}, not by {ALGORITHM}"));
    }
    let (Some(key), Some(value)) = (unhex(&public_key), unhex(&value)) else {
        return Err("its signature cannot be read".to_owned());
    };
    let text = sealed.report.get();
    if UnparsedPublicKey::new(&ED25519, key).verify(&signed(text), &value).is_err() {
        return Err("it was changed after it was signed".to_owned());
    }
    let report = serde_json::from_str(text).map_err(|error| format!("it is of another version: {error}"))?;
    Ok(Opened { report, public_key })
}

/// Reads a file that is to be opened.
///
/// # Errors
/// Why not, in words.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > REPORT_BYTES_MAX {
        return Err(format!("it is longer than {REPORT_BYTES_MAX} bytes"));
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}

fn signed(text: &str) -> Vec<u8> {
    [CONTEXT, text.as_bytes()].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.is_ascii() && text.len().is_multiple_of(2);
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    if is_hex { (0..text.len()).step_by(2).map(pair).collect() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::drill::report::tests::example;

    #[test]
    fn a_sealed_report_opens_as_it_was_and_each_change_of_it_is_seen() {
        let key = Key::of(&[7; 32]).unwrap();
        let sealed = key.seal(&example());
        let opened = open(&sealed).unwrap();
        assert_eq!((opened.report, opened.public_key), (example(), key.public()));
        assert!(!sealed.contains('<'), "it may stand in a page");
        for (from, to) in [
            ("\"measured\":801", "\"measured\":301"),
            ("\"true\"", "\"false\""),
            ("leader-loss", "leader-lost"),
            (":1,", ": 1,"),
        ] {
            let changed = sealed.replacen(from, to, 1);
            assert_ne!(changed, sealed);
            assert_eq!(open(&changed).unwrap_err(), "it was changed after it was signed", "{from}");
        }
    }

    #[test]
    fn a_page_opens_too_and_each_change_of_it_is_seen() {
        let key = Key::of(&[7; 32]).unwrap();
        let page = page::page(&example(), &key.seal(&example()), &key.public());
        assert_eq!(open(&page).unwrap().report, example());
        for (from, to) in
            [("801 ms", "301 ms"), ("</html>", "</html> "), ("\"measured\":801", "\"measured\":301")]
        {
            assert!(open(&page.replacen(from, to, 1)).unwrap_err().contains("changed"), "{from}");
        }
    }

    #[test]
    fn a_signature_of_another_key_or_of_nothing_is_refused() {
        let sealed = Key::of(&[7; 32]).unwrap().seal(&example());
        let other = Key::of(&[8; 32]).unwrap().public();
        let mine = Key::of(&[7; 32]).unwrap().public();
        assert_eq!(open(&sealed.replace(&mine, &other)).unwrap_err(), "it was changed after it was signed");
        assert!(open(&sealed.replace(ALGORITHM, "none")).unwrap_err().contains("\"none\""));
        let bare = sealed.split(",\n\"signature\"").next().unwrap().to_owned() + "}";
        assert!(open(&bare).unwrap_err().contains("missing field `signature`"), "{bare}");
        assert!(open("").is_err());
    }

    #[test]
    fn a_key_is_made_once_and_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/drill.key");
        let made = Key::at(&path).unwrap().public();
        assert_eq!(Key::at(&path).unwrap().public(), made);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Key::at(&path).err().unwrap().message.contains("others than its owner"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "no key").unwrap();
        assert!(Key::at(&path).err().unwrap().message.ends_with("it is none"));
    }
}
