//! The blocks of code in the README, each known by its first line.

use std::path::Path;

/// A block's text. `tests/tidy` looks whether each of them is asked for in a test.
pub(crate) fn block(first: &str) -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut lines = readme.lines();
    while let Some(fence) = lines.next() {
        if !fence.starts_with("```") {
            continue;
        }
        let text: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        if text.first() == Some(&first) {
            return text.join("\n") + "\n";
        }
    }
    panic!("no block of README.md begins with {first:?}")
}
