//! What a person sees of `dev`: lines that stay, and on a terminal one line at the end that changes.

use crate::screen::Screen;
use std::sync::{Mutex, PoisonError};

/// Takes lines from everywhere and keeps them apart.
#[derive(Debug)]
pub(super) struct Board {
    /// Colours.
    pub(super) screen: Screen,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    /// Under which heading the last line stands.
    heading: String,
    /// Something that is not a whole line is shown.
    has_transient: bool,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { screen: Screen::stdout(), shown: Mutex::default() }
    }

    /// Shows a line for good. Lines under a heading repeat it where others came between.
    pub(super) fn line(&self, heading: Option<&str>, text: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        self.clear(&mut shown);
        match heading {
            Some(heading) if heading != shown.heading => {
                self.screen.line(&self.screen.bold(heading));
                heading.clone_into(&mut shown.heading);
            }
            Some(_) => {}
            None => shown.heading.clear(),
        }
        self.screen.line(text);
    }

    /// Shows a heading that has been written by `text` itself.
    pub(super) fn headline(&self, heading: &str, text: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        self.clear(&mut shown);
        self.screen.line(text);
        heading.clone_into(&mut shown.heading);
    }

    /// On a terminal, shows `text` until something else is shown.
    pub(super) fn transient(&self, text: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if self.screen.is_terminal {
            self.clear(&mut shown);
            self.screen.text(&self.screen.dim(text));
            shown.has_transient = !text.is_empty();
        }
    }

    fn clear(&self, shown: &mut Shown) {
        if std::mem::take(&mut shown.has_transient) {
            self.screen.text("\r\x1b[2K");
        }
    }
}
