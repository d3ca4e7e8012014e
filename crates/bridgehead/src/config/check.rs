//! From the raw structs to [`Settings`]: defaults, types that cannot be wrong, and what two
//! settings have to do with each other. Goes on after each fault, so that all are found. Opens
//! nothing; key files are read through the [`Environment`].

mod auth;
mod credential;
mod foreign;
mod http;
mod login;
mod openapi;
mod policy;
mod server;
mod sql;
mod sql_caller;
mod store;
mod tls;
mod vaults;
mod verify;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    environment::Environment,
    fault::KeyPath,
    findings::Findings,
    raw::{RawConfig, RawPageTools, RawPages, RawSource, Table},
    settings::{AuthSettings, PageSettings, Settings, SourceKind, SourceSettings, StoreSettings},
    units::UnitError,
};

use sql::Around;
use vaults::CheckedVault;
use verify::Behind;

/// Whether tools have to come from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tools {
    /// At least one source has to be configured.
    Configured,
    /// Code may bring tools as well.
    AlsoFromCode,
}

/// What the checks work with.
pub(super) struct Check<'a> {
    pub(super) findings: &'a mut Findings,
    pub(super) environment: &'a dyn Environment,
    /// What was read, variables put in.
    pub(super) tree: &'a Value,
    /// The directory of the configuration file, absolute.
    pub(super) base: &'a Path,
}

impl Check<'_> {
    /// The settings; `None` where a fault was found, now or by an earlier stage.
    pub(super) fn settings(&mut self, raw: RawConfig, tools: Tools) -> Option<Settings> {
        let name = self.name(raw.name);
        let server = self.server(raw.server.unwrap_or_default());
        let behind = raw.sources.as_ref().map_or(&[][..], |sources| sources.0.as_slice());
        let auth = self.auth(raw.auth, &Behind { sources: behind, tools });
        let store = self.store(raw.store);
        let secrets = self.secrets(raw.secrets, store.as_ref());
        let shared = self.shared(raw.shared);
        let policies = self.policies(raw.policy, shared.is_some());
        let vaults = self.vaults(raw.vaults);
        let sources = self.sources(raw.sources, &vaults, store.as_ref(), tools);
        if let Some(auth) = &auth {
            self.credentials_are_brought(auth, &sources);
            self.callers_are_known(auth, &sources);
            self.teammates_sign_in_here(auth, &vaults);
        }
        if tools == Tools::Configured {
            self.vaults_are_used(&vaults, &sources);
        }
        if let (Some(auth), Some(store)) = (&auth, &store) {
            self.callers_are_kept(auth, store);
        }
        if let (Some(auth), Some(server)) = (&auth, &server) {
            self.sign_in_is_private(auth, server);
        }
        if self.findings.has_faults() {
            return None;
        }
        let auth = auth?;
        Some(Settings {
            name,
            instructions: raw.instructions.filter(|text| !text.trim().is_empty()),
            server: server?,
            secrets: secrets?,
            pages: pages(raw.pages, &auth),
            auth,
            store: store?,
            shared,
            vaults: vaults.into_iter().filter_map(|vault| vault.definition).collect(),
            sources,
            policies,
        })
    }

    fn name(&mut self, name: Option<String>) -> String {
        let name = name.unwrap_or_else(|| "Bridgehead".to_owned());
        if name.trim().is_empty() {
            self.findings.fault(
                &KeyPath::of(["name"]),
                "is empty",
                "write what teammates know the system by, or leave it out",
            );
        }
        name
    }

    fn unit<T>(&mut self, path: &KeyPath, text: &str, result: Result<T, UnitError>) -> Option<T> {
        result
            .map_err(|mend| {
                let shown = self.findings.places.quote(path, text);
                self.findings.fault(path, format!("{shown} is not understood"), mend.to_string());
            })
            .ok()
    }

    fn positive<T>(&mut self, path: &KeyPath, value: T, is_zero: bool) -> Option<T> {
        if is_zero {
            self.findings.fault(path, "must be more than 0", "write a larger value, or leave it out for the default");
            return None;
        }
        Some(value)
    }

    fn sources(
        &mut self,
        raw: Option<Table<RawSource>>,
        vaults: &[CheckedVault],
        store: Option<&StoreSettings>,
        tools: Tools,
    ) -> Vec<SourceSettings> {
        let raw = raw.unwrap_or_default().0;
        let names: Vec<_> = raw.iter().map(|(name, _)| name.clone()).collect();
        if raw.is_empty() && tools == Tools::Configured {
            self.findings.missing(
                &KeyPath::of(["sources"]),
                "there is no source, so there would be no tools",
                "add a table such as `[sources.stock]` with `type = \"sql\"`, `url = \"sqlite:FILE\"` and its tools",
            );
        }
        raw.into_iter()
            .filter_map(|(name, source)| {
                let path = KeyPath::of(["sources", &name]);
                self.source_name(&path, &name);
                let (prefix, kind) = match source {
                    RawSource::Sql(sql) => {
                        let prefix = self.prefix(&path, sql.prefix.as_deref().unwrap_or_default());
                        let around = Around { path: &path, name: &name, prefix: &prefix, names: &names, store };
                        let kind = SourceKind::Sql(self.sql(&around, *sql)?);
                        (prefix, kind)
                    }
                    RawSource::Http(http) => {
                        let prefix = self.prefix(&path, http.prefix.as_deref().unwrap_or_default());
                        let around = Around { path: &path, name: &name, prefix: &prefix, names: &names, store };
                        let kind = SourceKind::Http(self.http(&around, vaults, *http));
                        (prefix, kind)
                    }
                    RawSource::Openapi(openapi) => {
                        let prefix = self.prefix(&path, openapi.prefix.as_deref().unwrap_or_default());
                        let around = Around { path: &path, name: &name, prefix: &prefix, names: &names, store };
                        let kind = SourceKind::OpenApi(Box::new(self.openapi(&around, vaults, *openapi)?));
                        (prefix, kind)
                    }
                    // Named by `not_yet`, so this does not go unnoticed.
                    RawSource::Mcp(_) => return None,
                };
                let of_source = self.tree.get("sources").and_then(|sources| sources.get(&name));
                let revision = bridgehead_core::cache::revision(of_source.unwrap_or(&Value::Null));
                Some(SourceSettings { name, prefix, kind, revision })
            })
            .collect()
    }

    fn source_name(&mut self, path: &KeyPath, name: &str) {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if !(first && name.bytes().all(legal)) {
            let better: String = name
                .to_ascii_lowercase()
                .chars()
                .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' { c } else { '_' })
                .skip_while(|c| !c.is_ascii_lowercase())
                .collect();
            let example = if better.is_empty() { "stock" } else { &better };
            self.findings.fault_at_key(
                path,
                "the name of a source has a letter first, then a-z 0-9 _ -",
                format!("call it `[sources.{example}]`"),
            );
        }
    }

    /// The prefix; none where it is wrong, so that not each tool's name is wrong as well.
    fn prefix(&mut self, source: &KeyPath, prefix: &str) -> String {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let path = source.key("prefix");
        if !prefix.bytes().all(legal) {
            let shown = self.findings.places.quote(&path, prefix);
            self.findings.fault(
                &path,
                format!("{shown} cannot stand in a tool's name"),
                "use only A-Z a-z 0-9 _ -, as model APIs do",
            );
        } else if prefix.ends_with('_') {
            self.findings.fault(&path, "ends with `_`, and another one follows it anyway", "leave the last `_` out");
        } else {
            return prefix.to_owned();
        }
        String::new()
    }

    /// A path of the configuration, absolute.
    fn absolute(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }
}

fn pages(raw: Option<RawPages>, auth: &AuthSettings) -> PageSettings {
    match raw.unwrap_or_default().tools {
        Some(RawPageTools::Public) => PageSettings { public_tools: true },
        Some(RawPageTools::SignedIn) => PageSettings { public_tools: false },
        None => PageSettings::unless_said_otherwise(auth),
    }
}

/// As a size of this machine; what is larger than that is no limit.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Whether a URL names a database on a PostgreSQL server.
fn is_postgres(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    ["postgres", "postgresql"].contains(&scheme)
}

/// The file of a `sqlite:` URL; else what is wrong with it, and how to mend it.
fn sqlite_file(url: &str) -> Result<&str, (&'static str, &'static str)> {
    let Some(rest) = url.strip_prefix("sqlite:") else {
        return Err((
            "is not a `sqlite:` or `postgres:` URL",
            "write \"sqlite:FILE\", for example \"sqlite:warehouse.db\", or \"postgres://USER:PASSWORD@HOST/DATABASE\"",
        ));
    };
    let file = rest.strip_prefix("//").unwrap_or(rest);
    match file {
        "" => Err(("names no file", "write \"sqlite:FILE\", for example \"sqlite:warehouse.db\"")),
        ":memory:" => Err(("is a database in memory, which nobody could fill", "name a file: \"sqlite:FILE\"")),
        _ if file.contains('?') => {
            Err(("has options behind a `?`, which are not read", "write \"sqlite:FILE\" and nothing behind the file"))
        }
        _ => Ok(file),
    }
}
