//! The report as `JUnit` XML, in the form that Jenkins' schema (`junit-10.xsd`) and its readers agree on: a suite for
//! each area, a case for each check. Warnings are cases that pass, with their text in `system-out`.

use std::{fmt::Write, time::Duration};

use bridgehead_doctor::{Area, Examined, Finding, Report, Verdict};

use super::{Counts, plain::is_plain};

pub(super) fn document(report: &Report) -> String {
    let all = Counts::of(report);
    let time = Duration::try_from(report.ended.duration_since(report.began)).unwrap_or_default().as_secs_f64();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"bridgehead doctor\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{time:.3}\">\n",
        report.examined.len(),
        all.failed,
    );
    for (index, area) in Area::ALL.into_iter().enumerate() {
        let examined: Vec<&Examined> = report.examined.iter().filter(|one| one.check.area == area).collect();
        if !examined.is_empty() {
            suite(&mut xml, report, (index, area), &examined);
        }
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, report: &Report, (index, area): (usize, Area), examined: &[&Examined]) {
    let counts = examined.iter().fold(Counts::default(), |counts, one| counts.and(&one.verdict));
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{area}\" id=\"{index}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" timestamp=\"{}\">",
        examined.len(),
        counts.failed,
        counts.skipped,
        report.began.strftime("%Y-%m-%dT%H:%M:%S"),
    );
    let properties = [("url", report.url.as_str()), ("profile", report.profile.as_str())];
    xml.push_str("    <properties>\n");
    for (name, value) in properties {
        let _ = writeln!(xml, "      <property name=\"{name}\" value=\"{}\"/>", escaped(value));
    }
    xml.push_str("    </properties>\n");
    for one in examined {
        case(xml, one);
    }
    xml.push_str("  </testsuite>\n");
}

fn case(xml: &mut String, Examined { check, verdict }: &Examined) {
    let (id, area) = (check.id, check.area.title().to_lowercase());
    let _ = write!(xml, "    <testcase name=\"{id}\" classname=\"doctor.{area}\"");
    let _ = match verdict {
        Verdict::Passed { seen: None } => writeln!(xml, "/>"),
        Verdict::Passed { seen: Some(seen) } => within(xml, "system-out", "", seen),
        Verdict::Skipped { reason } => within(xml, "skipped", &format!(" message=\"{}\"", escaped(reason)), ""),
        Verdict::Warning(finding) => within(xml, "system-out", "", &format!("warning: {}", told(check, finding))),
        Verdict::Failed(finding) => {
            let message = format!(" message=\"{}\" type=\"{id}\"", escaped(&finding.seen));
            within(xml, "failure", &message, &told(check, finding))
        }
    };
}

fn told(check: &bridgehead_doctor::Check, finding: &Finding) -> String {
    let (seen, why, standard, mend) = (&finding.seen, check.why, check.standard, check.mend);
    format!("{seen}\nWhy it matters: {why} ({standard})\nTo mend it: {mend}")
}

fn within(xml: &mut String, element: &str, attributes: &str, text: &str) -> std::fmt::Result {
    writeln!(xml, ">\n      <{element}{attributes}>{}</{element}>\n    </testcase>", escaped(text))
}

/// Text and attribute values (XML 1.0, §2.2 and §2.4). Characters that XML does not have, or that hide text, are
/// written out.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\n' => shown.push_str("&#10;"),
            '\t' => shown.push_str("&#9;"),
            plain if is_plain(plain) => shown.push(plain),
            other => shown.extend(other.escape_unicode()),
        }
    }
    shown
}
