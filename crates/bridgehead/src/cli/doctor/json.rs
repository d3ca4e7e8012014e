//! The report for scripts. The members are part of the interface: docs/reference/doctor.md lists them.

use bridgehead_doctor::{Examined, Finding, Report, Verdict};
use serde_json::{Value, json};

use super::{Counts, plain::is_plain};

/// As it is printed. Characters that a terminal would obey, or that hide text, can only stand within texts of JSON,
/// and are written as escapes there.
pub(super) fn text(report: &Report) -> String {
    let json = document(report).to_string();
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if is_plain(character) {
            shown.push(character);
        } else {
            let units =
                character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            shown.push_str(&units);
        }
    }
    shown
}

fn document(report: &Report) -> Value {
    let counts = Counts::of(report);
    json!({
        "url": report.url,
        "profile": report.profile.as_str(),
        "began": report.began.to_string(),
        "ended": report.ended.to_string(),
        "summary": {
            "passed": counts.passed,
            "warnings": counts.warnings,
            "failed": counts.failed,
            "skipped": counts.skipped,
            "requests": report.exchanges.len(),
        },
        "checks": report.examined.iter().map(check).collect::<Vec<_>>(),
        "exchanges": report.exchanges,
        "left_behind": report.left_behind,
    })
}

fn check(Examined { check, verdict }: &Examined) -> Value {
    let mut shown = json!({"id": check.id, "area": check.area, "title": check.title});
    let more = match verdict {
        Verdict::Passed { seen } => json!({"verdict": "passed", "seen": seen}),
        Verdict::Skipped { reason } => json!({"verdict": "skipped", "reason": reason}),
        Verdict::Warning(Finding { seen, exchanges }) => {
            json!({"verdict": "warning", "seen": seen, "exchanges": exchanges})
        }
        Verdict::Failed(Finding { seen, exchanges }) => {
            json!({"verdict": "failed", "seen": seen, "exchanges": exchanges})
        }
    };
    let about = json!({"why": check.why, "standard": check.standard, "mend": check.mend});
    if let (Some(shown), Value::Object(more), Value::Object(about)) = (shown.as_object_mut(), more, about) {
        shown.extend(more);
        shown.extend(about);
    }
    shown
}
