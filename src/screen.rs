//! What a person reads: lines on standard output, with colour only where it is wanted.

use crate::environment;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

/// The width of a terminal that does not say how wide it is.
const COLUMNS_DEFAULT: usize = 80;
/// Its height.
const ROWS_DEFAULT: usize = 24;

/// When lines are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Also in pipes and files
    Always,
    /// Nowhere
    Never,
}

/// What the command line says; it is the same for the whole process.
static COLOR: OnceLock<Color> = OnceLock::new();

/// Settles when lines are coloured. Only the first call counts.
pub(crate) fn set_color(color: Color) {
    let _ = COLOR.set(color);
}

/// A way to write to standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Lines may be coloured.
    pub(crate) is_colourful: bool,
    /// Somebody looks at it: what has been written may be overwritten.
    pub(crate) is_terminal: bool,
}

impl Screen {
    /// Standard output as it is.
    pub(crate) fn stdout() -> Self {
        let is_terminal =
            std::io::stdout().is_terminal() && environment::read("TERM").as_deref() != Some("dumb");
        let is_colourful = match COLOR.get().copied().unwrap_or_default() {
            Color::Auto => is_terminal && environment::read(environment::NO_COLOR).is_none(),
            Color::Always => true,
            Color::Never => false,
        };
        Self { is_colourful, is_terminal }
    }

    /// What a pipe gets.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { is_colourful: false, is_terminal: false }
    }

    /// Columns and rows of the terminal.
    pub(crate) fn size(self) -> (usize, usize) {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        let rows = size.map_or(0, |size| usize::from(size.ws_row));
        (if columns == 0 { COLUMNS_DEFAULT } else { columns }, if rows == 0 { ROWS_DEFAULT } else { rows })
    }

    /// Writes one line at once. A reader that went away is not an error: what was asked for is done all the same.
    pub(crate) fn line(self, text: &str) {
        let _ = self.try_line(text);
    }

    /// The same, for whoever writes on and on.
    ///
    /// # Errors
    /// The reader went away.
    pub(crate) fn try_line(self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush())
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

    /// A phase, a state, or the word of a timeline, in its colour, padded to `width`.
    pub(crate) fn phase(self, word: &str, width: usize) -> String {
        let padded = format!("{word:width$}");
        match word.to_ascii_lowercase().as_str() {
            "succeeded" | "ready" | "leader" => self.green(&padded),
            "failed" | "lost" | "refused" | "unreachable" | "quarantined" => self.red(&padded),
            "cancelled" | "stopping" | "held" | "cordoned" | "draining" | "paused" | "unknown" => {
                self.yellow(&padded)
            }
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
        assert_eq!(Screen::plain().phase("Succeeded", 10), "Succeeded ");
        let terminal = Screen { is_colourful: true, is_terminal: true };
        assert_eq!(terminal.phase("Failed", 6), "\x1b[31mFailed\x1b[0m");
    }
}
