//! What the documents say about the tree.

use crate::tree::{files, root};

#[test]
fn links_in_documents_resolve() {
    for file in files(&[".md"]) {
        let folder = root().join(&file.path).parent().unwrap().to_owned();
        for target in targets(&file.text) {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            assert!(folder.join(path).exists(), "{}: {target} is not there", file.path);
        }
    }
}

/// The targets of `[text](target)`, outside code.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let mut rest = line;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            found.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    found
}

#[test]
fn the_code_map_names_every_crate() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for folder in
        ["model/", "store/", "raft/", "cluster/", "leader/", "api/", "chaos/", "src/", "deploy/", "tests/"]
    {
        assert!(map.contains(&format!("`{folder}`")), "ARCHITECTURE.md does not say what {folder} is");
    }
}

#[test]
fn the_project_speaks_of_itself_only() {
    for file in files(&[".rs", ".md", ".toml", ".sh", ".yaml"]) {
        for word in ["../shared", "design.md", "/work/"] {
            let own = file.path == "tests/tidy/docs.rs";
            assert!(own || !file.text.contains(word), "{}: {word} is not of the project", file.path);
        }
    }
}

/// Blocks of the README that no test takes as they are, by their first line, and why.
const ONLY_SHOWN: [(&str, &str); 0] = [];

#[test]
fn each_block_of_the_readme_is_taken_by_a_test_or_says_why_not() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (mut lines, mut firsts) = (readme.lines(), Vec::new());
    while let Some(fence) = lines.next() {
        if fence.starts_with("```") {
            firsts.push(lines.next().unwrap());
            lines.by_ref().find(|line| line.starts_with("```")).unwrap();
        }
    }
    let tests = files(&[".rs"]);
    let readers: Vec<_> =
        tests.iter().filter(|file| file.text.contains("\nuse crate::blocks::block;\n")).collect();
    for first in &firsts {
        let is_taken = readers.iter().any(|file| file.text.contains(&format!("{first:?}")));
        let is_shown = ONLY_SHOWN.iter().any(|(shown, _)| shown == first);
        assert!(
            is_taken != is_shown,
            "README.md: have a test take block({first:?}), or say in tests/tidy why not"
        );
        let others = firsts.iter().filter(|other| *other == first).count();
        assert_eq!(
            others, 1,
            "README.md: blocks are known by their first line, and several begin with {first:?}"
        );
    }
    for (shown, _) in ONLY_SHOWN {
        assert!(
            firsts.contains(&shown),
            "tests/tidy speaks of the block {shown:?}, which README.md does not have"
        );
    }
}

#[test]
fn what_the_readme_says_happens_is_seen_by_the_tests_that_it_names() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let from = readme.find("## What happens when").unwrap();
    let section = readme[from + 3..].split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 5);
    let sources = files(&[".rs"]);
    for row in rows {
        let test = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap().trim().trim_matches('`');
        let is_there = |file: &crate::tree::File| file.text.contains(&format!("fn {test}("));
        assert!(sources.iter().any(is_there), "README.md names the test {test}, which is not there");
    }
}
