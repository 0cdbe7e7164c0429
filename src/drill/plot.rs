//! Plots over the time of a drill, as SVG.

use super::book::Event;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 180.0;
/// Room for the figures at the left and below.
const LEFT: f64 = 52.0;
const BELOW: f64 = 20.0;
const ABOVE: f64 = 8.0;
/// Figures along each axis.
const TICKS: u64 = 4;
/// One for each replica, then again from the first.
const COLOURS: [&str; 5] = ["#0969da", "#bf3989", "#1a7f37", "#9a6700", "#8250df"];

/// A value at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dot {
    pub(super) at_ms: u64,
    pub(super) value: u64,
}

/// One replica: its name, what it answered when, and when it did not.
pub(super) type Line = (String, Vec<Dot>, Vec<u64>);

/// What plots have in common.
pub(super) struct Plot<'a> {
    pub(super) end_ms: u64,
    /// Of the values.
    pub(super) unit: &'a str,
    /// Each is a line from top to bottom.
    pub(super) events: &'a [Event],
}

impl Plot<'_> {
    /// Counts in buckets, and the times `(from, for)` in which there was nothing.
    pub(super) fn bars(&self, dots: &[Dot], bucket_ms: u64, gaps: &[(u64, u64)]) -> String {
        let top = top(dots.iter().map(|dot| dot.value));
        let width = self.x(bucket_ms) - self.x(0);
        let mut inside = String::new();
        for (from_ms, ms) in gaps {
            let (from, to) = (self.x(*from_ms), self.x(from_ms + ms));
            inside.push_str(&format!(
                "<rect x=\"{from:.1}\" y=\"{ABOVE}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#ffebe9\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{ms} ms</text>\n",
                to - from,
                HEIGHT - BELOW - ABOVE,
                from + 3.0,
                ABOVE + 12.0
            ));
        }
        for dot in dots.iter().filter(|dot| dot.value > 0) {
            let y = y(dot.value, top);
            inside.push_str(&format!(
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"/>\n",
                self.x(dot.at_ms),
                HEIGHT - BELOW - y,
                COLOURS[0]
            ));
        }
        self.framed(top, &inside)
    }

    /// A line for each replica, broken where it did not answer.
    pub(super) fn lines(&self, lines: &[Line]) -> String {
        let top = top(lines.iter().flat_map(|(_, dots, _)| dots.iter().map(|dot| dot.value)));
        let mut inside = String::new();
        for ((name, dots, missed), (i, colour)) in lines.iter().zip(COLOURS.iter().cycle().enumerate()) {
            let mut path = String::new();
            let mut before = None;
            for dot in dots {
                let is_broken =
                    before.is_none_or(|from| missed.iter().any(|at| (from..dot.at_ms).contains(at)));
                let letter = if is_broken { 'M' } else { 'L' };
                path.push_str(&format!("{letter}{:.1} {:.1}", self.x(dot.at_ms), y(dot.value, top)));
                before = Some(dot.at_ms);
            }
            inside.push_str(&format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\"/>\n"));
            for at in missed {
                let (x, y) = (self.x(*at), HEIGHT - BELOW - 4.0 * (i as f64 % 4.0));
                inside.push_str(&format!(
                    "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"3\" height=\"3\" fill=\"{colour}\"/>\n",
                    y - 3.0
                ));
            }
            let x = LEFT + 10.0 + 60.0 * i as f64;
            inside.push_str(&format!(
                "<rect x=\"{x:.1}\" y=\"{ABOVE}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{name}</text>\n",
                x + 14.0,
                ABOVE + 9.0
            ));
        }
        self.framed(top, &inside)
    }

    fn framed(&self, top: u64, inside: &str) -> String {
        let floor = HEIGHT - BELOW;
        let mut text = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n{inside}");
        for event in self.events {
            let x = self.x(event.at_ms);
            text.push_str(&format!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{ABOVE}\" y2=\"{floor}\" stroke=\"#8c959f\" stroke-dasharray=\"3 3\"/>\n"
            ));
        }
        for tick in 0..=TICKS {
            let value = top * tick / TICKS;
            let y = y(value, top);
            let unit = if tick == TICKS { format!(" {}", self.unit) } else { String::new() };
            text.push_str(&format!("<text x=\"0\" y=\"{:.1}\">{value}{unit}</text>\n", y + 4.0));
            let at_ms = self.end_ms * tick / TICKS;
            // The last one would be outside.
            let x = self.x(at_ms) - if tick == TICKS { 40.0 } else { 0.0 };
            let seconds = at_ms as f64 / 1000.0;
            text.push_str(&format!("<text x=\"{x:.1}\" y=\"{:.1}\">{seconds:.1} s</text>\n", HEIGHT - 4.0));
        }
        text + &format!(
            "<path d=\"M{LEFT} {ABOVE}V{floor}H{WIDTH}\" fill=\"none\" stroke=\"#57606a\"/>\n</svg>\n"
        )
    }

    fn x(&self, at_ms: u64) -> f64 {
        LEFT + (WIDTH - LEFT) * at_ms as f64 / self.end_ms.max(1) as f64
    }
}

/// Where a value stands whose axis ends at `top`.
fn y(value: u64, top: u64) -> f64 {
    let height = HEIGHT - BELOW - ABOVE;
    HEIGHT - BELOW - height * value as f64 / top.max(1) as f64
}

/// The end of an axis that has all of them.
fn top(values: impl Iterator<Item = u64>) -> u64 {
    values.max().unwrap_or_default().max(TICKS).next_multiple_of(TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_marked_with_its_length_and_bars_stay_inside() {
        let plot = Plot { end_ms: 1000, unit: "a 0.1 s", events: &[] };
        let text = plot.bars(&[Dot { at_ms: 0, value: 5 }, Dot { at_ms: 900, value: 8 }], 100, &[(100, 800)]);
        assert!(text.contains(">800 ms</text>") && text.contains(">8 a 0.1 s</text>"), "{text}");
        assert!(text.contains("x=\"815.2\" y=\"8.0\" width=\"84.8\""), "{text}");
    }

    #[test]
    fn a_line_is_broken_where_its_replica_did_not_answer() {
        let plot = Plot { end_ms: 1000, unit: "ms", events: &[] };
        let dot = |at_ms| Dot { at_ms, value: 1 };
        let text = plot.lines(&[("r1".to_owned(), vec![dot(0), dot(100), dot(900), dot(1000)], vec![500])]);
        let path = text.lines().find(|line| line.starts_with("<path d=\"M")).unwrap_or_default();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 2), "{text}");
    }

    #[test]
    fn a_drill_without_anything_has_plots_too() {
        let plot = Plot { end_ms: 0, unit: "ms", events: &[] };
        assert!(plot.bars(&[], 100, &[]).contains("</svg>") && plot.lines(&[]).contains("</svg>"));
    }
}
