//! What is wrong with the settings of a source, in the words of whoever wrote them.

use std::fmt;

/// One thing wrong with the settings of a source, or with what they lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFault {
    /// Keys below the source's own table, for example `tools`, `find_stock`, `sql`.
    pub path: Vec<String>,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl SourceFault {
    pub(crate) fn new(path: &[&str], message: impl Into<String>) -> Self {
        Self { path: path.iter().map(|&key| key.to_owned()).collect(), message: message.into() }
    }
}

impl fmt::Display for SourceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.message)
    }
}

impl std::error::Error for SourceFault {}
