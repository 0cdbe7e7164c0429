//! Columns as wide as their widest cell.

use crate::screen::Screen;

/// Rows under headings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    /// In capitals. Cells beyond them are not shown.
    pub(crate) headings: &'a [&'a str],
    /// The cells.
    pub(crate) rows: &'a [Vec<String>],
    /// The headings are shown.
    pub(crate) has_headings: bool,
}

impl Table<'_> {
    /// The lines, phases and states in their colours.
    pub(crate) fn lines(&self, screen: Screen) -> Vec<String> {
        if self.rows.is_empty() {
            return if self.has_headings { vec!["none".to_owned()] } else { Vec::new() };
        }
        let widths = self.widths();
        let joined = |cells: Vec<String>| cells.join("  ").trim_end().to_owned();
        let mut lines = Vec::new();
        if self.has_headings {
            let heads = self.headings.iter().zip(&widths).map(|(heading, width)| format!("{heading:width$}"));
            lines.push(screen.bold(&joined(heads.collect())));
        }
        for row in self.rows {
            let cells =
                row.iter().zip(&widths).zip(self.headings).map(|((cell, width), heading)| match *heading {
                    "PHASE" | "STATE" | "ROLE" | "WHAT" => screen.phase(cell, *width),
                    _ => format!("{cell:width$}"),
                });
            lines.push(joined(cells.collect()));
        }
        lines
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            let heading = if self.has_headings {
                self.headings.get(column).map_or(0, |heading| heading.len())
            } else {
                0
            };
            cells.chain([heading]).max().unwrap_or_default()
        };
        (0..self.headings.len()).map(width).collect()
    }
}

/// A line cut to so many columns; colours take no room, and are ended.
pub(crate) fn fitted(line: &str, columns: usize) -> String {
    let (mut shown, mut is_code, mut fitted) = (0, false, String::with_capacity(line.len()));
    for letter in line.chars() {
        match letter {
            '\x1b' => is_code = true,
            'm' if is_code => {
                is_code = false;
                fitted.push(letter);
                continue;
            }
            _ if is_code => {}
            _ if shown == columns => {
                if line.contains('\x1b') {
                    fitted.push_str("\x1b[0m");
                }
                return fitted;
            }
            _ => shown += 1,
        }
        fitted.push(letter);
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "Running".to_owned()], vec!["longer".to_owned(), "Held".to_owned()]];
        let table = Table { headings: &["NAME", "PHASE"], rows: &rows, has_headings: true };
        assert_eq!(table.lines(Screen::plain()), ["NAME    PHASE", "a       Running", "longer  Held"]);
        let bare = Table { has_headings: false, ..table };
        assert_eq!(bare.lines(Screen::plain()).len(), 2);
    }

    #[test]
    fn a_line_is_cut_by_what_is_seen_of_it() {
        assert_eq!(fitted("abcdef", 3), "abc");
        assert_eq!(fitted("\x1b[31mab\x1b[0mcd", 3), "\x1b[31mab\x1b[0mc\x1b[0m");
        assert_eq!(fitted("ab", 3), "ab");
    }
}
