//! Files that say what is expected, for tests. `UPDATE_GOLDEN=1` writes down what is as what is expected.

use std::{fmt::Write as _, path::Path};

/// Holds each text against its file, and tells all differences at the end.
#[derive(Default)]
pub(crate) struct Golden {
    differences: String,
}

impl Golden {
    pub(crate) fn compare(&mut self, file: impl AsRef<Path>, is: &str) {
        let file = file.as_ref();
        if is_to_be_updated() {
            std::fs::write(file, is).unwrap();
        }
        let expected = std::fs::read_to_string(file).unwrap_or_default();
        if expected != is {
            let _ = writeln!(self.differences, "{}\n--- expected\n{expected}--- is\n{is}", file.display());
        }
    }

    /// `tests` is the filter that runs those which were compared.
    pub(crate) fn assert(self, tests: &str) {
        assert!(
            self.differences.is_empty(),
            "{}\nIf that is meant, write the golden files anew:\n  UPDATE_GOLDEN=1 cargo test -p bridgehead --lib {tests}",
            self.differences,
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says so in the environment")]
fn is_to_be_updated() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}
