//! `[store] url`, read into what it means. Nothing is opened here.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use bridgehead_core::Secret;

use crate::postgres;

/// Which store to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`: one file.
    Sqlite(PathBuf),
    /// `postgres://USER:PASSWORD@HOST/DATABASE`: a database on a server, shared by all replicas.
    Postgres(Secret),
    /// `memory:`: forgotten when the process ends.
    Memory,
}

/// Why a text names no store. Only the scheme of a URL is repeated: the rest may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// No scheme at the beginning.
    #[error("a store is named by a URL: `sqlite:bridgehead.db` for a file, or `memory:` for none")]
    NoScheme,
    /// A kind of store that this version does not have, though a later one may.
    #[error("stores of the kind `{scheme}` are not in this version. Use `sqlite:bridgehead.db` or `postgres://…`")]
    NotInThisVersion {
        /// The scheme.
        scheme: String,
    },
    /// A scheme that names no kind of store.
    #[error("`{scheme}:` names no kind of store. Use `sqlite:bridgehead.db`, `postgres://…` or `memory:`")]
    UnknownScheme {
        /// The scheme.
        scheme: String,
    },
    /// `sqlite:` without a file.
    #[error("`sqlite:` needs the name of a file after it: `sqlite:bridgehead.db`")]
    NoPath,
    /// `postgres://` and something that cannot be read.
    #[error(
        "{what}. Write `postgres://USER:PASSWORD@HOST:5432/DATABASE`, and in user and password %40 for @, %3A for : and %2F for /"
    )]
    Postgres {
        /// What is wrong with it.
        what: String,
    },
    /// SQLite's own name for a database without a file.
    #[error("write `memory:` for a store that is forgotten when the server stops")]
    SqliteInMemory,
    /// Something stands where nothing is read.
    #[error("{what}. Write no more than `sqlite:` and the name of the file, or `memory:`")]
    Surplus {
        /// What it is.
        what: &'static str,
    },
}

impl StoreUrl {
    /// Reads `sqlite:PATH` (also `sqlite:///PATH`), `postgres://…` or `memory:`. The path is taken
    /// as it stands, without percent-decoding.
    ///
    /// # Errors
    /// [`StoreUrlError`].
    pub fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(StoreUrlError::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "memory" if rest.is_empty() || rest == "//" => Ok(Self::Memory),
            "memory" => Err(StoreUrlError::Surplus { what: "a store in memory has no name and no settings" }),
            "sqlite" => sqlite_path(rest).map(Self::Sqlite),
            "postgres" | "postgresql" => {
                postgres::options(text).map_err(|what| StoreUrlError::Postgres { what })?;
                Ok(Self::Postgres(Secret::new(text.to_owned())))
            }
            "mysql" | "mariadb" | "redis" | "rediss" | "valkey" => Err(StoreUrlError::NotInThisVersion { scheme }),
            _ if is_scheme(&scheme) => Err(StoreUrlError::UnknownScheme { scheme }),
            _ => Err(StoreUrlError::NoScheme),
        }
    }

    /// The same store with a relative path taken from `directory`: the configuration's own.
    #[must_use]
    pub fn relative_to(self, directory: &Path) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(directory.join(path)),
            other @ (Self::Postgres(_) | Self::Memory) => other,
        }
    }
}

/// Scheme of a URL (RFC 3986 §3.1), longer than a drive letter.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn sqlite_path(rest: &str) -> Result<PathBuf, StoreUrlError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path == ":memory:" {
        return Err(StoreUrlError::SqliteInMemory);
    }
    if path.contains('?') {
        return Err(StoreUrlError::Surplus { what: "settings after `?` are not read: the store has the right ones" });
    }
    if path.contains('\0') {
        return Err(StoreUrlError::Surplus { what: "no file has a NUL in its name" });
    }
    if path.trim().is_empty() || path.ends_with('/') { Err(StoreUrlError::NoPath) } else { Ok(PathBuf::from(path)) }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for StoreUrl {
    /// Shows nothing of a URL that may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str(postgres::NAME),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_which_store() {
        let sqlite = |path: &str| Ok(StoreUrl::Sqlite(PathBuf::from(path)));
        let rows = [
            ("sqlite:bridgehead.db", sqlite("bridgehead.db")),
            ("sqlite:/var/lib/bridgehead.db", sqlite("/var/lib/bridgehead.db")),
            ("sqlite:///var/lib/bridgehead.db", sqlite("/var/lib/bridgehead.db")),
            ("SQLite:a b%20c.db", sqlite("a b%20c.db")),
            ("memory:", Ok(StoreUrl::Memory)),
            ("memory:x", Err(StoreUrlError::Surplus { what: "a store in memory has no name and no settings" })),
            ("sqlite:", Err(StoreUrlError::NoPath)),
            ("sqlite:data/", Err(StoreUrlError::NoPath)),
            ("sqlite::memory:", Err(StoreUrlError::SqliteInMemory)),
            (
                "sqlite:a.db?mode=rwc",
                Err(StoreUrlError::Surplus { what: "settings after `?` are not read: the store has the right ones" }),
            ),
            ("bridgehead.db", Err(StoreUrlError::NoScheme)),
            ("C:\\bridgehead.db", Err(StoreUrlError::NoScheme)),
            ("", Err(StoreUrlError::NoScheme)),
            ("mongodb://x", Err(StoreUrlError::UnknownScheme { scheme: "mongodb".into() })),
        ];
        for (text, expected) in rows {
            assert_eq!(StoreUrl::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_store_of_later_versions_is_named_and_its_password_is_not() {
        let error = StoreUrl::parse("mysql://bridgehead:hunter2@db/bridgehead").unwrap_err();
        assert_eq!(error, StoreUrlError::NotInThisVersion { scheme: "mysql".into() });
        assert!(error.to_string().contains("not in this version") && !error.to_string().contains("hunter2"));
    }

    #[test]
    fn a_url_of_postgres_is_kept_secret() {
        let url = StoreUrl::parse("postgres://bridgehead:hunter2@db/bridgehead?sslmode=require").unwrap();
        assert!(matches!(&url, StoreUrl::Postgres(secret) if secret.expose().contains("hunter2")));
        assert!(!format!("{url} {url:?}").contains("hunter2"));
        for text in [
            "postgres:hunter2",
            "postgres://u:hunter2/@db",
            "postgresql://u@db/b?sslmode=hunter2",
            "postgres://u@db/b?pass=hunter2",
        ] {
            let error = StoreUrl::parse(text).unwrap_err();
            assert!(matches!(error, StoreUrlError::Postgres { .. }), "{text}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn a_relative_path_is_taken_from_the_configuration() {
        let url = StoreUrl::parse("sqlite:data/b.db").unwrap().relative_to(Path::new("/etc/bridgehead"));
        assert_eq!(url.to_string(), "sqlite:/etc/bridgehead/data/b.db");
        let absolute = StoreUrl::parse("sqlite:/b.db").unwrap().relative_to(Path::new("/etc/bridgehead"));
        assert_eq!(absolute.to_string(), "sqlite:/b.db");
    }
}
