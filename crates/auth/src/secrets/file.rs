//! The file with the root keys: read, or made where there is none.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bridgehead_core::Randomness;

use super::{RootKeys, SecretsError};

/// Root keys that were read from a file or made there.
#[derive(Debug, Clone)]
pub struct LoadedKeys {
    /// The keys.
    pub keys: RootKeys,
    /// Whether the file was made just now.
    pub created: bool,
    /// What the operator should mend, though the keys work.
    pub warning: Option<SecretsWarning>,
}

/// Something about the file that the operator should mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretsWarning {
    /// Others than the owner can read or change the file.
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl fmt::Display for SecretsWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenToOthers { path, mode } => write!(
                f,
                "{path} holds the root keys and is open to other users (mode {mode:04o}): run `chmod 600 {path}`",
                path = path.display()
            ),
        }
    }
}

impl RootKeys {
    /// Reads a file.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn load(path: &Path) -> Result<LoadedKeys, SecretsError> {
        let text = std::fs::read_to_string(path).map_err(|cause| file_error(path, "read", cause))?;
        let keys = Self::parse(&path.display().to_string(), &text)?;
        Ok(LoadedKeys { keys, created: false, warning: open_to_others(path) })
    }

    /// Makes a file with one new key that its owner alone can read (mode 0600). It appears whole
    /// or not at all, and never replaces one that is there.
    ///
    /// # Errors
    /// [`SecretsError::File`]; its cause is `AlreadyExists` where there is such a file.
    pub fn create(path: &Path, randomness: &dyn Randomness) -> Result<LoadedKeys, SecretsError> {
        let keys = Self::generate(randomness);
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.new", suffix(randomness)));
        let unfinished = PathBuf::from(name);
        let made = write_new(&unfinished, &keys).and_then(|()| appear(&unfinished, path, &keys));
        // Nothing is lost where this fails: the file is of no use to anybody and owner-only.
        let _ = std::fs::remove_file(&unfinished);
        made.map_err(|cause| file_error(path, "make", cause))?;
        Ok(LoadedKeys { keys, created: true, warning: None })
    }

    /// Reads the file, or makes it where there is none. Of several processes at once, one makes
    /// it and all have the same keys.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn load_or_create(path: &Path, randomness: &dyn Randomness) -> Result<LoadedKeys, SecretsError> {
        let is = |error: &SecretsError, kind: io::ErrorKind| matches!(error, SecretsError::File { cause, .. } if cause.kind() == kind);
        match Self::load(path) {
            Err(error) if is(&error, io::ErrorKind::NotFound) => {}
            loaded => return loaded,
        }
        match Self::create(path, randomness) {
            Err(error) if is(&error, io::ErrorKind::AlreadyExists) => Self::load(path),
            created => created,
        }
    }
}

fn file_error(path: &Path, doing: &'static str, cause: io::Error) -> SecretsError {
    SecretsError::File { path: path.display().to_string(), doing, cause: Arc::new(cause) }
}

fn suffix(randomness: &dyn Randomness) -> String {
    let mut bytes = [0_u8; 6];
    randomness.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_new(path: &Path, keys: &RootKeys) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(keys.to_text().expose().as_bytes())?;
    file.sync_all()
}

/// Gives the finished file its name. A hard link, unlike a rename, refuses to replace; where the
/// file system has none, the file is made under its name at once.
fn appear(unfinished: &Path, path: &Path, keys: &RootKeys) -> io::Result<()> {
    match std::fs::hard_link(unfinished, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => write_new(path, keys)?,
        Ok(()) => {}
    }
    // The name has to survive a power cut too. Some file systems refuse to sync a directory.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<SecretsWarning> {
    use std::os::unix::fs::PermissionsExt;

    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then(|| SecretsWarning::OpenToOthers { path: path.to_owned(), mode })
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<SecretsWarning> {
    None
}
