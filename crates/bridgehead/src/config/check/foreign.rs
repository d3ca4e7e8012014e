//! `[auth.oauth]` with an authorization server that is not ours: which one, and how its tokens read.
//! Whether it is there, and what it can do, is seen when the server runs.

use bridgehead_auth::{
    SigningAlgorithm,
    remote::{ClientCredentials, IssuerUrl, IssuerUrlError},
};
use bridgehead_core::{ScopeSet, Secret};

use super::Check;
use crate::config::{
    fault::KeyPath,
    raw::{RawIntrospection, RawOauth},
    settings::ForeignOAuthSettings,
};

impl Check<'_> {
    pub(super) fn foreign(&mut self, path: &KeyPath, raw: RawOauth) -> Option<ForeignOAuthSettings> {
        self.nothing_builtin(path, &raw);
        let issuer = self.issuer(&path.key("issuer"), raw.issuer.as_deref().unwrap_or_default());
        if raw.introspection.is_some() && raw.algorithms.is_some() {
            self.findings.warn(
                &path.key("algorithms"),
                "has no effect beside `introspection`: the authorization server judges its tokens itself",
                "leave it out, or leave `introspection` out to check tokens here by the server's keys",
            );
        }
        let algorithms = self.algorithms(&path.key("algorithms"), raw.algorithms);
        let introspection = match raw.introspection {
            Some(raw) => Some(self.introspection(&path.key("introspection"), raw)?),
            None => None,
        };
        let audience = self.one_word(&path.key("audience"), raw.audience, "\"api://warehouse\"");
        let scope_claim = self.one_word(&path.key("scope_claim"), raw.scope_claim, "\"scp\"");
        let subject_claim = self.one_word(&path.key("subject_claim"), raw.subject_claim, "\"sub\"");
        let scope_prefix = self.scope_prefix(&path.key("scope_prefix"), raw.scope_prefix.unwrap_or_default());
        let initial_scopes = self.initial_scopes(path, raw.initial_scopes);
        Some(ForeignOAuthSettings {
            issuer: issuer?,
            audience: audience?,
            algorithms: algorithms?,
            introspection,
            scope_claim: scope_claim?,
            scope_prefix: scope_prefix?,
            subject_claim: subject_claim?.unwrap_or_else(|| "sub".to_owned()),
            initial_scopes: initial_scopes?,
        })
    }

    /// What is set for another server has no place beside the built-in one.
    pub(super) fn nothing_foreign(&mut self, path: &KeyPath, raw: &RawOauth) {
        let written = [
            ("audience", raw.audience.is_some()),
            ("algorithms", raw.algorithms.is_some()),
            ("introspection", raw.introspection.is_some()),
            ("scope_claim", raw.scope_claim.is_some()),
            ("scope_prefix", raw.scope_prefix.is_some()),
            ("subject_claim", raw.subject_claim.is_some()),
        ];
        for (key, _) in written.into_iter().filter(|(_, written)| *written) {
            self.findings.fault_at_key(
                &path.key(key),
                "is for an existing authorization server, and the built-in one is set up",
                "leave it out, or name the server: issuer = \"https://login.example.com\"",
            );
        }
    }

    /// What is set for the built-in server has no place beside another one.
    fn nothing_builtin(&mut self, path: &KeyPath, raw: &RawOauth) {
        if raw.registration.is_some() {
            self.findings.fault_at_key(
                &path.key("registration"),
                "is for the built-in authorization server: who may become a client of another one is set there",
                "leave it out, or write issuer = \"builtin\"",
            );
        }
        if raw.login.is_some() {
            self.findings.fault_at_key(
                &path.key("login"),
                "is for the built-in authorization server: how teammates log in at another one is set there",
                "leave it out; or, to have clients register here and teammates log in there, write issuer = \"builtin\" \
                 and login = { issuer = \"https://…\", client_id = \"…\" }",
            );
        }
    }

    fn issuer(&mut self, path: &KeyPath, text: &str) -> Option<IssuerUrl> {
        let error = match IssuerUrl::parse(text) {
            Ok(issuer) => return Some(issuer),
            Err(error) => error,
        };
        let shown = self.findings.places.quote(path, text);
        let mend = match error {
            IssuerUrlError::NotAUrl => {
                "write \"builtin\", or the URL that the server's metadata has as `issuer`, letter by letter: \
                 \"https://login.example.com/realms/staff\""
            }
            IssuerUrlError::NotHttps => "write https://: whoever can change its answers on the way gets in as anybody",
            IssuerUrlError::MoreThanAPath => {
                "write the URL that the server's metadata has as `issuer`, letter by letter"
            }
        };
        self.findings.fault(path, format!("{shown} {error}"), mend);
        None
    }

    fn algorithms(&mut self, path: &KeyPath, raw: Option<Vec<String>>) -> Option<Vec<SigningAlgorithm>> {
        let Some(names) = raw else { return Some(SigningAlgorithm::all()) };
        if names.is_empty() {
            self.findings.fault(
                path,
                "names no algorithm, so that no token would be good",
                "name those that the authorization server signs access tokens with, or leave it out",
            );
            return None;
        }
        let all = SigningAlgorithm::all().into_iter().map(SigningAlgorithm::name).collect::<Vec<_>>().join(", ");
        let mut one = |(index, name): (usize, &String)| {
            let found = SigningAlgorithm::named(name);
            if found.is_none() {
                let path = path.index(index);
                let shown = self.findings.places.quote(&path, name);
                let why = match name.as_str() {
                    "none" => "is no signature at all".to_owned(),
                    name if name.starts_with("HS") => {
                        "signs with a shared secret: whoever can check a token could make one".to_owned()
                    }
                    _ => "is not an algorithm that is checked here".to_owned(),
                };
                self.findings.fault(&path, format!("{shown} {why}"), format!("name some of {all}"));
            }
            found
        };
        names.iter().enumerate().map(&mut one).collect::<Vec<_>>().into_iter().collect()
    }

    fn introspection(&mut self, path: &KeyPath, raw: RawIntrospection) -> Option<ClientCredentials> {
        // What is not there at all was named by the schema.
        let (id, secret) = (raw.client_id?, raw.client_secret?.0);
        for (key, text) in [("client_id", &id), ("client_secret", &secret)] {
            if text.trim().is_empty() {
                self.findings.fault(
                    &path.key(key),
                    "is empty",
                    "write what the authorization server gave this server to introspect tokens with",
                );
            }
        }
        Some(ClientCredentials { id, secret: Some(Secret::new(secret)) })
    }

    /// A text without blanks; `Some(None)` where there is none, `None` where it is wrong.
    fn one_word(&mut self, path: &KeyPath, raw: Option<String>, example: &str) -> Option<Option<String>> {
        let Some(text) = raw else { return Some(None) };
        if text.is_empty() || text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            let shown = self.findings.places.quote(path, &text);
            self.findings.fault(path, format!("{shown} is not one word"), format!("write {example}, or leave it out"));
            return None;
        }
        Some(Some(text))
    }

    fn scope_prefix(&mut self, path: &KeyPath, prefix: String) -> Option<String> {
        let stands_in_a_scope = !prefix.contains(char::is_whitespace) && ScopeSet::parse(&prefix).is_ok();
        if !stands_in_a_scope {
            let shown = self.findings.places.quote(path, &prefix);
            self.findings.fault(
                path,
                format!("{shown} cannot stand before a scope"),
                "write what the authorization server has before `tools:read`, for example \"api://warehouse/\"",
            );
            return None;
        }
        Some(prefix)
    }
}
