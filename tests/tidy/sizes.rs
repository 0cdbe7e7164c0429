//! How long files and functions are: printed, not limited.

use crate::tree::{files, is_test};

#[test]
fn the_longest_files_and_functions_are_printed() {
    let files: Vec<_> = files(&[".rs"]).into_iter().filter(|file| !is_test(&file.path)).collect();
    let mut lines: Vec<(usize, &str)> =
        files.iter().map(|file| (file.text.lines().count(), file.path.as_str())).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2].0;
    println!("{} files, median {median} lines; the longest:", lines.len());
    lines.iter().rev().take(10).for_each(|(count, path)| println!("{count:6} {path}"));
    let mut functions: Vec<(usize, String)> =
        files.iter().flat_map(|file| functions(&file.path, &file.text)).collect();
    functions.sort_unstable();
    println!("the longest of {} functions:", functions.len());
    functions.iter().rev().take(10).for_each(|(count, name)| println!("{count:6} {name}"));
    assert!(!functions.is_empty());
}

/// Lines from a `fn` to the closing brace in its column; rustfmt makes that exact.
fn functions(path: &str, text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let Some(name) = trimmed.split("fn ").nth(1).filter(|_| !trimmed.starts_with("//")) else { continue };
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|line| *line == close) {
            let name = name.split(['(', '<']).next().unwrap_or(name);
            found.push((length + 1, format!("{path}:{} {name}", start + 1)));
        }
    }
    found
}
