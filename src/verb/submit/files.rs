//! The files that a command line names: themselves, what a directory holds, or standard input.

use crate::exit::{Exit, Failure};
use std::io::Read;
use std::path::Path;

/// The longest file that is read: more than the API takes, so that it can say what to do.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Files of one directory.
const FILES_MAX: usize = 10_000;
const HINT: &str = "tallyman submit FILE, or a directory, or - for standard input";

/// The files, in the order of the command line; those of a directory sorted by name.
///
/// # Errors
/// A directory that cannot be read, or holds nothing of the kind.
pub(super) fn all<'a>(named: impl Iterator<Item = &'a String>) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    for name in named {
        if name != "-" && Path::new(name).is_dir() {
            files.extend(inside(name)?);
        } else {
            files.push(name.clone());
        }
    }
    if files.iter().filter(|file| *file == "-").count() > 1 {
        return Err(Failure::new(Exit::Usage, "standard input can be read once only", HINT));
    }
    Ok(files)
}

fn inside(folder: &str) -> Result<Vec<String>, Failure> {
    let unreadable =
        |why: String| Failure::new(Exit::Failed, format!("failed to read {folder}: {why}"), HINT);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(error.to_string()))? {
        let path = entry.map_err(|error| unreadable(error.to_string()))?.path();
        let is_manifest = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| matches!(extension, "yaml" | "yml" | "json"));
        if is_manifest && path.is_file() {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    if files.is_empty() || files.len() > FILES_MAX {
        let count = files.len();
        return Err(unreadable(format!(
            "it holds {count} .yaml, .yml and .json files, not 1 to {FILES_MAX}"
        )));
    }
    files.sort();
    Ok(files)
}

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read, or is too long.
pub(crate) fn read_file(file: &str) -> Result<String, Failure> {
    let read = if file == "-" {
        read_text(std::io::stdin().lock(), FILE_BYTES_MAX)
    } else {
        std::fs::File::open(file).and_then(|opened| read_text(opened, FILE_BYTES_MAX))
    };
    match read {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(Failure::new(
            Exit::Usage,
            format!("{file} is longer than {FILE_BYTES_MAX} bytes; nothing was submitted"),
            "submit less at once, or refer to data that is stored elsewhere",
        )),
        Err(error) => Err(Failure::new(Exit::Failed, format!("failed to read {file}: {error}"), HINT)),
    }
}

/// The whole text; `None` if it is longer than `bytes_max`: a part of it could mean something else.
fn read_text(source: impl Read, bytes_max: u64) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let length = source.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if u64::try_from(length).is_ok_and(|length| length <= bytes_max) {
        let text = String::from_utf8(bytes);
        return text.map(Some).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_refused_and_not_cut() {
        assert_eq!(read_text("kind: Job".as_bytes(), 9).unwrap().as_deref(), Some("kind: Job"));
        assert_eq!(read_text("kind: Jobs".as_bytes(), 9).unwrap(), None);
        // The limit is in the middle of a letter.
        assert_eq!(read_text("name: \u{e9}".as_bytes(), 7).unwrap(), None);
        assert!(read_text(&[0xff_u8][..], 9).is_err());
    }

    #[test]
    fn a_file_that_is_too_long_ends_as_a_usage_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(FILE_BYTES_MAX + 1).unwrap();
        let failure = read_file(file.path().to_str().unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("is longer than"), "{failure:?}");
    }

    #[test]
    fn a_directory_stands_for_its_manifests_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap().to_owned();
        assert!(all([name.clone()].iter()).unwrap_err().message.contains("0 .yaml"));
        for file in ["b.yml", "a.yaml", "c.json", "notes.md"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let files = all([name.clone(), "-".to_owned()].iter()).unwrap();
        let expected: Vec<String> = ["a.yaml", "b.yml", "c.json"].map(|file| format!("{name}/{file}")).into();
        assert_eq!(files, [expected, vec!["-".to_owned()]].concat());
        assert_eq!(all(["-".to_owned(), "-".to_owned()].iter()).unwrap_err().exit, Exit::Usage);
    }
}
