//! What the matrix of faults and the ledger of what they found say of tests.

use crate::tree::{files, root};
use std::collections::BTreeSet;
use std::fs;

/// Faults of the matrix, which are numbered for good.
const FAULTS: usize = 117;

/// The names of all tests of the project.
fn tests() -> BTreeSet<String> {
    files(&[".rs"]).iter().flat_map(|file| tests_of(&file.text)).collect()
}

/// The functions of a source that are marked as tests, ignored ones and those of `proptest!` among them.
fn tests_of(source: &str) -> Vec<String> {
    let (mut found, mut is_marked) = (Vec::new(), false);
    for line in source.lines().map(str::trim_start) {
        let name = line.split_once("fn ").map(|(_, rest)| rest.split('(').next().unwrap_or_default());
        match name {
            _ if line.starts_with("#[test]") || line.starts_with("#[tokio::test") => is_marked = true,
            _ if line.starts_with("#[") || line.starts_with("//") || line.is_empty() => {}
            Some(name) if is_marked => {
                found.push(name.to_owned());
                is_marked = false;
            }
            _ => is_marked = false,
        }
    }
    found
}

/// The cells of a table's row, without those of its head.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(row.split(" | ").collect())
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// `P1`: a letter and a number.
fn is_id(word: &str) -> bool {
    let (letter, number) = word.split_at_checked(1).unwrap_or_default();
    "PNDCRKBO".contains(letter) && !letter.is_empty() && number.parse::<u32>().is_ok()
}

/// What is wrong with a matrix of `count` faults.
fn faults_of(matrix: &str, count: usize, tests: &BTreeSet<String>) -> Vec<String> {
    let (mut wrong, mut ids, mut bound, mut in_part) = (Vec::new(), BTreeSet::new(), 0, 0);
    for row in matrix.lines().filter_map(cells) {
        let id = row[0].split(' ').next().unwrap_or_default();
        if !is_id(id) {
            continue;
        }
        let [_, made_by, must_hold, last] = row[..] else {
            wrong.push(format!("{id} has {} cells", row.len()));
            continue;
        };
        if !ids.insert(id) {
            wrong.push(format!("{id} is there twice"));
        }
        let (names, reason) = (quoted(last), last.split_once("; not: ").map(|(_, reason)| reason));
        for name in names.iter().filter(|name| !tests.contains(**name)) {
            wrong.push(format!("{id} names the test {name}, which is not there"));
        }
        let is_made = !names.is_empty();
        bound += usize::from(is_made);
        in_part += usize::from(is_made && reason.is_some());
        let says_why =
            last == "not yet" || last.starts_with("not yet: ") || last.starts_with("not possible: ");
        if is_made == says_why || (made_by == "-") == is_made || must_hold.is_empty() {
            wrong.push(format!("{id} needs a test and how it makes the fault, or why there is none"));
        }
    }
    if ids.len() != count {
        wrong.push(format!("there are {} faults, not {count}", ids.len()));
    }
    let numbers = format!("**{bound} of {count} are bound to a test, {in_part} of these in part.**");
    if !matrix.replace('\n', " ").contains(&numbers) {
        wrong.push(format!("its head is to say: {numbers}"));
    }
    wrong
}

/// What is wrong with a ledger of what was found.
fn found_of(ledger: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let rows = ledger.lines().filter_map(cells).filter(|row| row[0] != "symptom");
    let mut wrong = Vec::new();
    for row in rows {
        let names = row.last().map(|cell| quoted(cell)).unwrap_or_default();
        if row.len() != 4 || names.is_empty() {
            wrong.push(format!("{:?} needs a cause, what caught it, and a test", row[0]));
        }
        for name in names.iter().filter(|name| !tests.contains(**name)) {
            wrong.push(format!("{:?} names the test {name}, which is not there", row[0]));
        }
    }
    wrong
}

#[test]
fn each_fault_of_the_matrix_is_made_by_a_test_that_is_there_or_says_why_not() {
    let matrix = fs::read_to_string(root().join("chaos/FAULTS.md")).unwrap();
    assert_eq!(faults_of(&matrix, FAULTS, &tests()), Vec::<String>::new(), "chaos/FAULTS.md");
}

#[test]
fn each_finding_has_a_regression_test_that_is_there() {
    let ledger = fs::read_to_string(root().join("chaos/FOUND.md")).unwrap();
    assert!(ledger.lines().filter_map(cells).count() > 20, "chaos/FOUND.md");
    assert_eq!(found_of(&ledger, &tests()), Vec::<String>::new(), "chaos/FOUND.md");
}

#[test]
fn tests_are_told_from_other_functions() {
    let source = "\
        #[test]\n#[ignore = \"slow\"]\nfn one() {}\n\n// words\nfn helper() {}\n\
        #[tokio::test(flavor = \"multi_thread\")]\n/// words\nasync fn two() {}\n\
        proptest! {\n    #[test]\n    fn three(x in 0..1) {}\n}\nfn four(a: &str) {}\n";
    assert_eq!(tests_of(source), ["one", "two", "three"]);
}

#[test]
fn a_matrix_that_is_wrong_is_found() {
    let tests = BTreeSet::from(["there".to_owned()]);
    let head =
        "**2 of 3 are bound to a test, 1 of these\nin part.**\n| fault | made by | must hold | tests |\n";
    let with = |rows: [&str; 3]| faults_of(&format!("{head}{}\n", rows.join("\n")), 3, &tests);
    let (whole, part) = ("| P1 a | b | 1 | `there` |", "| N2 a | b | 1 | `there`; not: all |");
    let none = "| K3 a | - | 1 | not yet: words |";
    assert_eq!(with([whole, part, none]), Vec::<String>::new());
    for (rows, words) in [
        ([whole, part, "| K3 a | - | 1 |  |"], "K3 needs a test"),
        ([whole, part, "| K3 a | b | 1 | not yet |"], "K3 needs a test"),
        ([whole, part, "| P1 a | - | 1 | not yet |"], "P1 is there twice"),
        ([whole, "| N2 a | b | 1 | `gone`; not: all |", none], "the test gone, which is not there"),
        ([whole, whole, none], "there are 2 faults"),
        ([whole, "| N2 a | b | 1 | `there` |", none], "**2 of 3 are bound to a test, 0 of these in part.**"),
        ([whole, part, "| K3 a | - | not yet |"], "K3 has 3 cells"),
    ] {
        let wrong = with(rows);
        assert!(wrong.iter().any(|one| one.contains(words)), "{words}: {wrong:?}");
    }
}

#[test]
fn a_finding_without_a_test_is_found() {
    let tests = BTreeSet::from(["there".to_owned()]);
    let head = "| symptom | cause | caught by | test |\n|---|---|---|---|\n";
    let with = |row: &str| found_of(&format!("{head}{row}\n"), &tests);
    assert_eq!(with("| a | b | c | `there` |"), Vec::<String>::new());
    assert!(with("| a | b | c | none |")[0].contains("needs a cause"));
    assert!(with("| a | b | `there` |")[0].contains("needs a cause"));
    assert!(with("| a | b | c | `gone` |")[0].contains("gone, which is not there"));
}
