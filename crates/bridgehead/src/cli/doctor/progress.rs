//! What is shown while it goes on: one line on stderr that says where it is, on a terminal alone.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::Mutex,
};

use bridgehead_doctor::{Examined, Progress};

/// Moves to the beginning of the line and clears it (ECMA-48, CR and EL).
const CLEAR: &str = "\r\u{1b}[2K";

/// The line on stderr.
pub(super) struct Shown {
    on: bool,
    /// Held while the line is written, so that a message does not stand in the middle of it.
    count: Mutex<usize>,
}

impl Shown {
    pub(super) fn on_stderr() -> Self {
        Self { on: stderr().is_terminal(), count: Mutex::new(0) }
    }

    /// A message to the person at the keyboard, on lines of its own.
    pub(super) fn say(&self, text: &str) {
        let _count = self.count.lock();
        let clear = if self.on { CLEAR } else { "" };
        let _ = writeln!(stderr().lock(), "{clear}{text}");
    }

    /// The line goes.
    pub(super) fn end(&self) {
        if self.on {
            let _ = write!(stderr().lock(), "{CLEAR}");
        }
    }
}

impl Progress for Shown {
    fn examined(&self, examined: &Examined) {
        let Ok(mut count) = self.count.lock() else { return };
        *count += 1;
        if self.on {
            let mut out = stderr().lock();
            let _ = write!(out, "{CLEAR}{count} checks  {}: {}", examined.check.area, examined.check.id);
            let _ = out.flush();
        }
    }
}
