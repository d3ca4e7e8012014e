//! `[store]`, `[shared]` and `[secrets]`.

use std::{io::ErrorKind, path::Path};

use bridgehead_auth::{RootKeys, SecretsError};
use bridgehead_core::Secret;
use bridgehead_stores::{StoreUrl, ValkeyUrl};

use super::{Check, is_postgres, sqlite_file};
use crate::config::{
    fault::KeyPath,
    raw::{RawSecrets, RawShared, RawStore},
    settings::{SecretSettings, SharedSettings, StoreSettings},
};

const DEFAULT_URL: &str = "sqlite:bridgehead.db";
const DEFAULT_PREFIX: &str = "bridgehead";
const DEFAULT_KEY_FILE: &str = "bridgehead.keys";

impl Check<'_> {
    pub(super) fn store(&mut self, raw: Option<RawStore>) -> Option<StoreSettings> {
        let path = KeyPath::of(["store", "url"]);
        let url = raw.and_then(|raw| raw.url).map_or_else(|| DEFAULT_URL.to_owned(), |url| url.0);
        if url == "memory:" {
            return Some(StoreSettings::Memory);
        }
        if is_postgres(&url) {
            return match StoreUrl::parse(&url) {
                Ok(_) => Some(StoreSettings::Postgres(Secret::new(url))),
                Err(error) => {
                    self.findings.fault_in_words(&path, &error.to_string());
                    None
                }
            };
        }
        match sqlite_file(&url) {
            Ok(file) => Some(StoreSettings::Sqlite(self.absolute(file))),
            Err((message, mend)) => {
                let mend = match url.contains("memory") {
                    true => "write \"memory:\"",
                    false => mend,
                };
                self.findings.fault(&path, message, mend);
                None
            }
        }
    }

    pub(super) fn shared(&mut self, raw: Option<RawShared>) -> Option<SharedSettings> {
        let RawShared { url, prefix } = raw?;
        let shared = KeyPath::of(["shared"]);
        let prefix = prefix.unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
        if prefix.is_empty() {
            let mend = "write a word for this installation, or leave it out for \"bridgehead\"";
            self.findings.fault(&shared.key("prefix"), "is empty", mend);
        }
        match ValkeyUrl::parse(&url?.0) {
            Ok(url) => Some(SharedSettings { url, prefix }),
            Err(error) => {
                self.findings.fault_in_words(&shared.key("url"), &error.to_string());
                None
            }
        }
    }

    pub(super) fn secrets(&mut self, raw: Option<RawSecrets>, store: Option<&StoreSettings>) -> Option<SecretSettings> {
        let path = KeyPath::of(["secrets", "keys"]);
        let Some(keys) = raw.and_then(|raw| raw.keys) else { return self.default_secrets(&path, store) };
        if keys.is_empty() {
            self.findings.fault(&path, "names no key", "leave it out to have a key file made beside the store");
            return None;
        }
        let mut settings = SecretSettings::default();
        for (index, key) in keys.iter().enumerate() {
            let path = path.index(index);
            match key.0.strip_prefix("file:") {
                Some(file) => self.key_file(&path, file, index == 0, &mut settings),
                None => self.key(&path, &key.0, &mut settings),
            }
        }
        Some(settings)
    }

    /// Without `secrets.keys`: the variable `BRIDGEHEAD_KEYS`, else a file beside the store.
    fn default_secrets(&mut self, path: &KeyPath, store: Option<&StoreSettings>) -> Option<SecretSettings> {
        let mut settings = SecretSettings::default();
        let variable = self.environment.variables().get("BRIDGEHEAD_KEYS").filter(|keys| !keys.trim().is_empty());
        if let Some(keys) = variable {
            self.findings.places.set_variable(path, "BRIDGEHEAD_KEYS");
            self.key(path, keys, &mut settings);
            return Some(settings);
        }
        match store? {
            StoreSettings::Memory => {}
            StoreSettings::Sqlite(file) => {
                settings.make = Some(file.parent().unwrap_or(Path::new("")).join(DEFAULT_KEY_FILE));
            }
            StoreSettings::Postgres(_) => {
                self.findings.missing(
                    path,
                    "no root key is named, and a store on a server has no place beside it for a key file",
                    format!(
                        "write `keys = [\"file:{DEFAULT_KEY_FILE}\"]`, which is made on first run and has to be the same for \
                         all replicas, or set the variable BRIDGEHEAD_KEYS"
                    ),
                );
                return None;
            }
        }
        Some(settings)
    }

    fn key_file(&mut self, path: &KeyPath, file: &str, first: bool, settings: &mut SecretSettings) {
        let file = self.absolute(file);
        match self.environment.read(&file) {
            Ok(text) if first => {
                self.key(path, &text, &mut SecretSettings::default());
                settings.make = Some(file);
            }
            Ok(text) => self.key(path, &text, settings),
            Err(error) if error.kind() == ErrorKind::NotFound && first => settings.make = Some(file),
            Err(error) => self.findings.fault(
                path,
                match self.findings.places.is_private(path) {
                    true => format!("the key file cannot be read: {error}"),
                    false => format!("the key file {} cannot be read: {error}", file.display()),
                },
                "see that it is there and may be read; only the file that stands first is made if it is not there",
            ),
        }
    }

    fn key(&mut self, path: &KeyPath, text: &str, settings: &mut SecretSettings) {
        match RootKeys::parse("line", text) {
            Ok(_) => settings.keys.push(Secret::new(text.trim().to_owned())),
            Err(SecretsError::Malformed { line, what, .. }) => {
                self.findings.fault_in_words(path, &format!("is not right in line {line}: {what}"));
            }
            Err(_) => self.findings.fault(
                path,
                "holds no key",
                "leave the entry out, or put a key there: `bhs_` and 43 more characters, as in the file that is made on first run",
            ),
        }
    }
}
