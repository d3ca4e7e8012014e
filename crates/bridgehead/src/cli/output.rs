//! The two ways out: results on stdout, everything else on stderr.

use std::io::{IsTerminal, Write, stderr, stdout};

/// Writes a result. A reader that closed the pipe has read enough.
pub(super) fn print(text: &str) {
    let mut out = stdout().lock();
    let _ =
        out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") });
    let _ = out.flush();
}

/// Writes a remark for the person at the keyboard.
pub(super) fn say(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Writes why the command failed.
pub(super) fn complain(text: &str) {
    let text = text.trim_end();
    if text.starts_with("error") { say(text) } else { say(&format!("error: {text}")) }
}

/// Whether colours may be used on stderr: a terminal, and `NO_COLOR` is not set.
pub(super) fn colours(no_color: bool) -> bool {
    stderr().is_terminal() && !no_color
}

/// As [`colours`], for results on stdout.
pub(super) fn colours_of_results(no_color: bool) -> bool {
    stdout().is_terminal() && !no_color
}

/// A table with columns as wide as their longest cell; the last column is not padded.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}
