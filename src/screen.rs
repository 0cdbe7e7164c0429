//! What a person reads: lines on standard output, with colour only on a terminal.

use crate::environment;
use std::io::{IsTerminal, Write};

/// A way to write to standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Lines may be coloured.
    pub(crate) is_colourful: bool,
}

impl Screen {
    /// Standard output as it is: colourful on a terminal, unless `NO_COLOR` asks for none.
    pub(crate) fn stdout() -> Self {
        Self {
            is_colourful: std::io::stdout().is_terminal()
                && environment::read(environment::NO_COLOR).is_none(),
        }
    }

    /// Writes one line at once. A reader that went away is not an error: what was asked for is done all the same.
    pub(crate) fn line(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// Writes text as it is.
    pub(crate) fn text(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A phase, or the word of a timeline, in its colour, padded to `width`.
    pub(crate) fn phase(self, word: &str, width: usize) -> String {
        let padded = format!("{word:width$}");
        match word.to_ascii_lowercase().as_str() {
            "succeeded" => self.green(&padded),
            "failed" | "lost" => self.red(&padded),
            "cancelled" | "stopping" | "held" => self.yellow(&padded),
            _ => padded,
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.is_colourful && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Writes what went wrong to standard error.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::Screen;

    #[test]
    fn a_pipe_gets_no_colour() {
        let pipe = Screen { is_colourful: false };
        assert_eq!(pipe.phase("Succeeded", 10), "Succeeded ");
        assert_eq!(Screen { is_colourful: true }.phase("Failed", 6), "\x1b[31mFailed\x1b[0m");
    }
}
