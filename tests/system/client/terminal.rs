//! What a terminal shows, and a pipe does not.

use super::{client, ended, file, run};
use crate::dev::{Dev, PATIENCE};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::process::Stdio;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A terminal of so many columns and rows: the side that a person sees, and the side for a process.
fn terminal(columns: u16, rows: u16) -> (File, File) {
    let seen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&seen).unwrap();
    unlockpt(&seen).unwrap();
    tcsetwinsize(&seen, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&seen, Vec::new()).unwrap().into_string().unwrap();
    (File::from(seen), OpenOptions::new().read(true).write(true).open(name).unwrap())
}

/// Everything that a process writes to a terminal until it ends.
async fn shown(dev: &Dev, size: (u16, u16), arguments: &[&str], plain: bool) -> String {
    let (mut seen, side) = terminal(size.0, size.1);
    let url = dev.replicas()[0].url.clone();
    let mut command = client(&[&url], arguments);
    command.env("TERM", "xterm").stdout(Stdio::from(side));
    if plain {
        command.env("NO_COLOR", "1");
    }
    let mut child = command.spawn().unwrap();
    drop(command);
    let reading = spawn_blocking(move || {
        let (mut text, mut bytes) = (Vec::new(), [0; 4096]);
        // Linux ends the reading of a terminal whose other side is closed with an error.
        while let Ok(count @ 1..) = seen.read(&mut bytes) {
            text.extend_from_slice(&bytes[..count]);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    assert!(timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap().success());
    timeout(PATIENCE, reading).await.expect("the terminal is closed").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_on_a_terminal_is_a_table_that_stays_in_its_place() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "seen", "2s");
    run(&dev, &["submit", &path, "-n", "risk"]).await.ok();
    let text = shown(&dev, (60, 10), &["watch", "risk/seen"], false).await;
    assert!(text.matches("NAMESPACE").count() > 1, "drawn again: {text:?}");
    assert!(text.contains("\x1b[3F"), "over what was drawn before: {text:?}");
    assert!(text.contains("\x1b[32mSucceeded"), "in colour: {text:?}");
    assert!(text.contains("1 run: 1 Succeeded   rev "), "with a last line: {text:?}");
    let longest = text.split("\r\n").map(visible).max().unwrap();
    assert!(longest <= 60, "{longest}: {text:?}");

    for (arguments, plain) in
        [(vec!["get", "risk/seen", "--color", "never"], false), (vec!["get", "risk/seen"], true)]
    {
        let text = shown(&dev, (80, 24), &arguments, plain).await;
        assert!(text.contains("Succeeded") && !text.contains('\x1b'), "{text:?}");
    }
    // A pipe: a line for each change, and colour only if it is asked for.
    let said = run(&dev, &["watch", "risk/seen"]).await.ok();
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
    assert!(said.out.starts_with("Succeeded  risk/seen  rev ") && !said.out.contains('\x1b'), "{said:?}");
    let said = run(&dev, &["get", "risk/seen", "--color", "always"]).await.ok();
    assert!(said.out.contains("\x1b[32mSucceeded"), "{said:?}");
    let said = ended(client(&[&dev.replicas()[1].url], &["list", "-n", "risk", "-o", "wide"])).await.ok();
    assert!(said.out.contains("DIGEST") && said.out.contains("sha256:"), "{said:?}");
}

/// Characters of a line that are seen.
fn visible(line: &str) -> usize {
    let (mut count, mut is_code) = (0, false);
    for letter in line.chars() {
        match letter {
            '\x1b' => is_code = true,
            _ if is_code => is_code = !letter.is_ascii_alphabetic(),
            _ => count += 1,
        }
    }
    count
}
