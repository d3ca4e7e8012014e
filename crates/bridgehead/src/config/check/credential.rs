//! `credential` of a source: what is presented to the system behind.

use bridgehead_core::Secret;
use bridgehead_sources::http::{Credential, Place, Presentation};
use http::{HeaderName, HeaderValue};

use super::Check;
use crate::config::{
    fault::KeyPath,
    raw::{RawCredential, RawCredentialFrom},
    settings::{AuthSettings, ModeSettings, SourceKind, SourceSettings},
    substitute,
};

impl Check<'_> {
    /// The credential; none where it is wrong, so that the rest is checked all the same.
    pub(super) fn credential(&mut self, source: &KeyPath, raw: Option<RawCredential>) -> Credential {
        let path = source.key("credential");
        let Some(raw) = raw else { return Credential::None };
        // `vault` was named by `not_yet`.
        match (raw.header, raw.value, raw.from) {
            (None, None, Some(RawCredentialFrom::Caller)) => Credential::FromCaller,
            (Some(header), Some(value), None) => self.fixed(&path, &header, value.0),
            (None, None, None) if raw.vault.is_some() => Credential::None,
            (None, None, None) => {
                self.findings.fault(&path, "says nothing", "write `header` and `value`, or `from = \"caller\"`");
                Credential::None
            }
            // What stands there was found faulty, and taken out.
            (Some(_), None, None) if self.findings.is_wrong_inside(&path.key("value")) => Credential::None,
            (Some(_), None, None) => {
                self.findings.fault(
                    &path,
                    "has a header without a `value`",
                    "write `value = \"${API_TOKEN}\"` beside it",
                );
                Credential::None
            }
            (None, Some(_), None) => {
                self.findings.fault(
                    &path,
                    "has a `value` without a header",
                    "write `header = \"Authorization\"` beside it",
                );
                Credential::None
            }
            (_, _, Some(_)) => {
                self.findings.fault(
                    &path,
                    "is the caller's own and a fixed one at once",
                    "write `header` and `value` for the same credential for all, or `from = \"caller\"` for each caller's own",
                );
                Credential::None
            }
        }
    }

    /// The values of all variables that are put in below a setting: whoever keeps a value in the
    /// environment does not want to read it in an answer.
    pub(super) fn secrets_below(&self, path: &KeyPath) -> Vec<Secret> {
        let names = self.findings.places.written_below(path).flat_map(substitute::names);
        names.filter_map(|name| self.environment.variable(name)).map(|value| Secret::new(value.to_owned())).collect()
    }

    /// What is handed on must be brought by somebody: keys that are issued here never leave.
    pub(super) fn credentials_are_brought(&mut self, auth: &AuthSettings, sources: &[SourceSettings]) {
        let oauth = auth.modes().iter().any(ModeSettings::is_oauth);
        if !oauth && auth.modes().iter().any(ModeSettings::is_handed_through) {
            return;
        }
        for source in sources {
            let credential = match &source.kind {
                SourceKind::Http(http) => &http.credential,
                SourceKind::OpenApi(openapi) => &openapi.settings.credential,
                SourceKind::Sql(_) => continue,
            };
            if !matches!(credential, Credential::FromCaller) {
                continue;
            }
            let path = KeyPath::of(["sources", &source.name, "credential", "from"]);
            if oauth {
                self.findings.fault(
                    &path,
                    "hands on what a caller signed in with, and with the mode \"oauth\" that is a token for this server alone: no other may get it (token passthrough)",
                    "write a fixed `header` and `value`, or take \"oauth\" out of `auth.mode`",
                );
            } else {
                self.findings.fault(
                    &path,
                    "hands on what a caller signed in with, and no mode takes anything that could be handed on",
                    "set `auth.api_key.verify = \"upstream\"` (or that of `auth.headers`), or write a fixed `header` and `value`",
                );
            }
        }
    }

    fn fixed(&mut self, path: &KeyPath, header: &str, value: String) -> Credential {
        match HeaderName::try_from(header) {
            Ok(_) if HeaderValue::from_str(&value).is_err() => {
                self.findings.fault(
                    &path.key("value"),
                    "has a character that no header may have, such as a line break",
                    "remove it; a file's last line break is a common one",
                );
                Credential::None
            }
            Ok(name) => {
                let presentation = Presentation { place: Place::Header(name), value: Secret::new(value) };
                Credential::Fixed(vec![presentation])
            }
            Err(_) => {
                let path = path.key("header");
                let shown = self.findings.places.quote(&path, header);
                self.findings.fault(
                    &path,
                    format!("{shown} is not the name of an HTTP header"),
                    "write \"Authorization\", or a name such as \"X-Api-Key\"",
                );
                Credential::None
            }
        }
    }
}
