//! A report as a page of its own: nothing is loaded from elsewhere, and the sealed report is in it.
//!
//! The page is a function of the sealed report, so that whoever has one can make it again: a page that differs from what
//! its report makes was changed.

use super::plot::{Dot, Plot};
use super::promise::Kept;
use super::report::Report;

/// Where the sealed report begins and ends in a page.
const BEGIN: &str = "<script type=\"application/json\" id=\"report\">";
const END: &str = "</script>";

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #d8dee4;vertical-align:top}\
td.n{font-variant-numeric:tabular-nums;white-space:nowrap}\
.true{color:#116329}.false{color:#a40e26}.unknown{color:#7d4e00}.true,.false,.unknown{font-weight:600}\
svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:#57606a}\
code{word-break:break-all}footer{margin:2rem 0;color:#57606a;font-size:.85rem}";

/// The page of a report and its sealed form.
pub(crate) fn page(report: &Report, sealed: &str, signer: &str) -> String {
    let title = format!("Drill {} of {}", escape(&report.scenario), escape(&report.group.name));
    let place = if report.group.is_dev { ", a <code>tallyman dev</code>" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         <h1>{title}: <span class=\"{}\">{}</span></h1>\n\
         <p>{}, group {} (<code>{}</code>){place}; {} replicas, {:.1} s.{}</p>\n\
         <h2>Promised and measured</h2>\n{}\
         <h2>Acknowledged writes</h2>\n{}\
         <p>{} of {} submissions acknowledged; {} tries were not, and were repeated under their keys.</p>\n\
         <h2>Reads with the newest token</h2>\n{}\
         <p>How long each waited until its replica had the write; marks at the bottom are reads that a replica did \
         not answer.</p>\n\
         <h2>What happened</h2>\n{}\
         <footer>Signed by <code>{}</code>. <code>tallyman drill show</code> verifies this page.</footer>\n\
         {BEGIN}{sealed}{END}\n</body></html>\n",
        class(report.kept),
        together(report.kept),
        escape(&report.at),
        escape(&report.group.name),
        escape(&report.group.id),
        report.replicas.len(),
        report.took_ms as f64 / 1000.0,
        did_not_bite(report),
        promises(report),
        writes(report),
        report.writes.acknowledged,
        report.writes.submitted,
        report.writes.repeated.values().sum::<u64>(),
        reads(report),
        events(report),
        escape(signer),
    )
}

/// The sealed report in a page; `None` if there is none.
pub(crate) fn sealed(page: &str) -> Option<&str> {
    let rest = page.get(page.find(BEGIN)? + BEGIN.len()..)?;
    rest.get(..rest.find(END)?)
}

fn class(kept: Kept) -> &'static str {
    match kept {
        Kept::True => "true",
        Kept::False => "false",
        Kept::Unknown => "unknown",
    }
}

fn together(kept: Kept) -> &'static str {
    match kept {
        Kept::True => "every promise was kept",
        Kept::False => "a promise was broken",
        Kept::Unknown => "not everything could be measured",
    }
}

fn did_not_bite(report: &Report) -> String {
    match report.did_not_bite.as_str() {
        "" => String::new(),
        why => format!(" It proves nothing: {}.", escape(why)),
    }
}

fn promises(report: &Report) -> String {
    let row = |one: &super::promise::Judged| {
        let measured = one.measured.map_or("-".to_owned(), |value| one.what.figure(value));
        format!(
            "<tr><td>{}</td><td class=\"n\">at most {}</td><td class=\"n\">{measured}</td><td class=\"{}\">{}</td></tr>\n",
            one.what.words(),
            one.what.figure(one.promised),
            class(one.kept),
            one.kept.word()
        )
    };
    let rows: String = report.promises.iter().map(row).collect();
    format!("<table><tr><th>promise</th><th>promised</th><th>measured</th><th></th></tr>\n{rows}</table>\n")
}

fn writes(report: &Report) -> String {
    let writes = &report.writes;
    let bucket_ms = writes.bucket_ms;
    let dot = |(i, count): (usize, &u64)| Dot { at_ms: i as u64 * bucket_ms, value: *count };
    let plot = Plot { end_ms: report.took_ms, unit: "a 0.1 s", events: &report.events };
    // What is short is no gap that anybody sees.
    let gaps: Vec<(u64, u64)> =
        writes.gaps.iter().filter(|gap| gap.ms >= 2 * bucket_ms).map(|gap| (gap.from_ms, gap.ms)).collect();
    plot.bars(&writes.acknowledged_in.iter().enumerate().map(dot).collect::<Vec<_>>(), bucket_ms, &gaps)
}

fn reads(report: &Report) -> String {
    let plot = Plot { end_ms: report.took_ms, unit: "ms", events: &report.events };
    let of = |reads: &super::report::Reads| {
        let answered =
            reads.waited.iter().filter_map(|(at_ms, waited)| Some(Dot { at_ms: *at_ms, value: (*waited)? }));
        let missed = reads.waited.iter().filter(|(_, waited)| waited.is_none()).map(|(at_ms, _)| *at_ms);
        (escape(&reads.replica), answered.collect(), missed.collect())
    };
    plot.lines(&report.reads.iter().map(of).collect::<Vec<_>>())
}

fn events(report: &Report) -> String {
    let row = |event: &super::book::Event| {
        let seconds = event.at_ms as f64 / 1000.0;
        format!("<tr><td class=\"n\">{seconds:.1} s</td><td>{}</td></tr>\n", escape(&event.text))
    };
    let rows: String = report.events.iter().map(row).collect();
    format!("<table>{rows}</table>\n")
}

/// A text that is nothing but text in a page.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::report::tests::example;

    #[test]
    fn a_page_shows_the_report_loads_nothing_and_holds_what_it_was_made_of() {
        let text = page(&example(), "{\"report\":{}}\n", "abcd");
        for shown in
            ["every promise was kept", "801 ms", "at most 2500 ms", "killed r1 &lt;the leader&gt;", "<svg"]
        {
            assert!(text.contains(shown), "{shown}\n{text}");
        }
        for loads in ["http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!text.contains(loads), "{loads}");
        }
        assert_eq!(sealed(&text), Some("{\"report\":{}}\n"));
        assert_eq!(sealed("{}"), None);
    }

    #[test]
    fn a_page_is_the_same_each_time_and_another_for_another_report() {
        let other = Report { kept: Kept::False, ..example() };
        assert_eq!(page(&example(), "", ""), page(&example(), "", ""));
        assert_ne!(page(&other, "", ""), page(&example(), "", ""));
    }
}
