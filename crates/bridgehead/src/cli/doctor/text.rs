//! The report for people: the areas in order, each check with what came of it, and each finding with what was
//! seen, why it matters, and how to mend it.

use std::{fmt::Write, time::Duration};

use bridgehead_doctor::{Area, Check, Examined, Exchange, Finding, Report, Verdict};

use super::{
    Counts,
    plain::{plain, plain_line},
};

/// How much is shown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Detail {
    /// Every request, also of what is well.
    pub(super) exchanges: bool,
    /// Colours beside the words.
    pub(super) colours: bool,
}

/// How many characters of a body are shown beside a finding.
const BODY: usize = 600;

/// How many exchanges are shown beside a finding.
const EXCHANGES: usize = 2;

/// Escape sequences of a terminal (ECMA-48, SGR).
struct Paint {
    on: bool,
}

impl Paint {
    fn with(&self, colour: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Padded to the width of the longest.
    fn mark(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Passed { .. } => self.with("32", "ok     "),
            Verdict::Warning(_) => self.with("33", "warning"),
            Verdict::Failed(_) => self.with("1;31", "FAILED "),
            Verdict::Skipped { .. } => self.with("2", "skipped"),
        }
    }
}

pub(super) fn report(report: &Report, detail: Detail) -> String {
    let paint = Paint { on: detail.colours };
    let mut text = format!("{}, as {} sees it\n", paint.with("1", &plain_line(&report.url)), report.profile);
    let width = report.examined.iter().map(|one| one.check.id.len()).max().unwrap_or_default();
    for area in Area::ALL {
        let of_area = || report.examined.iter().filter(move |one| one.check.area == area);
        if of_area().next().is_none() {
            continue;
        }
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "\n{}", paint.with("1", area.title()));
        for one in of_area().filter(|one| !matches!(one.verdict, Verdict::Skipped { .. })) {
            line(&mut text, &paint, one, width);
            if let Verdict::Warning(finding) | Verdict::Failed(finding) = &one.verdict {
                told(&mut text, one.check, finding, report);
            }
        }
        skipped(&mut text, &paint, of_area());
    }
    if detail.exchanges {
        let _ = writeln!(text, "\n{}", paint.with("1", "Everything that was sent"));
        for (index, exchange) in report.exchanges.iter().enumerate() {
            let _ = writeln!(text, "\n  #{index}");
            shown(&mut text, "  ", exchange, usize::MAX);
        }
    }
    end(&mut text, report);
    text
}

fn line(text: &mut String, paint: &Paint, Examined { check, verdict }: &Examined, width: usize) {
    let seen = match verdict {
        Verdict::Passed { seen: Some(seen) } => format!(" ({})", plain_line(seen)),
        _ => String::new(),
    };
    let title = check.title.trim_end_matches('.');
    let _ = writeln!(text, "  {}  {:<width$}  {title}{seen}", paint.mark(verdict), check.id);
}

/// What is to be said of a finding, below its line.
fn told(text: &mut String, check: &Check, finding: &Finding, report: &Report) {
    let about = [("seen", plain(&finding.seen)), ("why", check.why.to_owned()), ("see", check.standard.to_owned())];
    for (word, said) in about.into_iter().chain([("mend", check.mend.to_owned())]) {
        let said = said.lines().collect::<Vec<_>>().join("\n                 ");
        let _ = writeln!(text, "           {word:<6}{said}");
    }
    let exchanges = || finding.exchanges.iter().filter_map(|index| report.exchanges.get(*index));
    for exchange in exchanges().take(EXCHANGES) {
        shown(text, "           ", exchange, BODY);
    }
    match exchanges().count().saturating_sub(EXCHANGES) {
        0 => {}
        more => {
            let _ = writeln!(text, "           and {more} more, which --verbose shows");
        }
    }
}

/// The checks that were not made, those with the same reason on one line.
fn skipped<'a>(text: &mut String, paint: &Paint, examined: impl Iterator<Item = &'a Examined>) {
    let mut reasons: Vec<(&str, &Examined, Vec<&str>)> = Vec::new();
    for one in examined {
        let Verdict::Skipped { reason } = &one.verdict else { continue };
        match reasons.iter_mut().find(|(other, ..)| other == reason) {
            Some((.., ids)) => ids.push(one.check.id),
            None => reasons.push((reason, one, vec![one.check.id])),
        }
    }
    for (reason, one, ids) in reasons {
        let _ = writeln!(text, "  {}  {}: {}", paint.mark(&one.verdict), ids.join(", "), plain_line(reason));
    }
}

/// A request and its answer.
fn shown(text: &mut String, indent: &str, exchange: &Exchange, body: usize) {
    let mut say = |direction: &str, said: &str| {
        for line in plain(said).lines() {
            let _ = writeln!(text, "{indent}{direction} {line}");
        }
    };
    say(">", &format!("{} {}", exchange.method, exchange.url));
    for (name, value) in &exchange.request_headers {
        say(">", &format!("{name}: {value}"));
    }
    say(">", &cut(&exchange.request_body, body));
    match &exchange.answer {
        Ok(answer) => {
            say("<", &format!("{} after {} ms", answer.status, exchange.took.as_millis()));
            for (name, value) in &answer.headers {
                say("<", &format!("{name}: {value}"));
            }
            say("<", &cut(&answer.body, body));
        }
        Err(error) => say("<", &format!("no answer: {error}")),
    }
}

fn cut(body: &str, characters: usize) -> String {
    match body.char_indices().nth(characters) {
        Some((end, _)) => body.get(..end).map(|start| format!("{start}…")).unwrap_or_default(),
        None => body.to_owned(),
    }
}

/// How it came out, what was sent, and what stays.
fn end(text: &mut String, report: &Report) {
    let counts = Counts::of(report);
    let took = Duration::try_from(report.ended.duration_since(report.began)).unwrap_or_default();
    let requests = report.exchanges.len();
    for left in &report.left_behind {
        let _ = writeln!(text, "\nleft behind: {}", plain_line(left));
    }
    let left = if report.left_behind.is_empty() { "nothing was left behind" } else { "see above what was left behind" };
    let warnings = if counts.warnings == 1 { "1 warning".to_owned() } else { format!("{} warnings", counts.warnings) };
    let _ = writeln!(
        text,
        "\n{} failed, {warnings}, {} passed, {} skipped; {requests} requests in {:.1} s, {left}",
        counts.failed,
        counts.passed,
        counts.skipped,
        took.as_secs_f64(),
    );
}
