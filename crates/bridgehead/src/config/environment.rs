//! What surrounds the configuration file: environment variables and other files. The only place
//! that reads the process's environment; everything else is given an [`Environment`].

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// The surroundings a configuration is loaded in.
pub trait Environment {
    /// All environment variables that are text.
    fn variables(&self) -> &BTreeMap<String, String>;

    /// One environment variable.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables().get(name).map(String::as_str)
    }

    /// The text of a file.
    ///
    /// # Errors
    /// The file is not there, cannot be read or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Where relative paths on the command line start.
    fn directory(&self) -> &Path;
}

/// The process's own environment and file system.
#[derive(Debug, Clone)]
pub struct SystemEnvironment {
    variables: BTreeMap<String, String>,
    directory: PathBuf,
}

impl SystemEnvironment {
    /// Reads all environment variables, once. One that is not UTF-8 is left out.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it reads its surroundings, which no default should do")]
    pub fn new() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        // Where the current directory is gone, relative paths stay relative and fail where they are used.
        let directory = std::env::current_dir().unwrap_or_default();
        Self { variables: std::env::vars_os().filter_map(text).collect(), directory }
    }
}

impl Environment for SystemEnvironment {
    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Surroundings that are all given: nothing of the process's own environment gets in.
#[derive(Debug, Clone, Default)]
pub struct FixedEnvironment {
    /// The variables.
    pub variables: BTreeMap<String, String>,
    /// Files by absolute path.
    pub files: BTreeMap<PathBuf, String>,
    /// The current directory.
    pub directory: PathBuf,
}

impl FixedEnvironment {
    /// Surroundings without files, in the root directory.
    pub fn new<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        Self {
            variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            files: BTreeMap::new(),
            directory: PathBuf::from("/"),
        }
    }

    /// These surroundings and one file more.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }
}

impl Environment for FixedEnvironment {
    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn directory(&self) -> &Path {
        &self.directory
    }
}
