//! `credential` of a source: what is presented to the system behind.

use bridgehead_auth::credentials::VaultKind;
use bridgehead_core::Secret;
use bridgehead_sources::http::{Credential, Place, Presentation, VaultCredential, VaultPlaces, VaultPresentation};
use http::{HeaderName, HeaderValue, header};

use super::{Check, vaults::CheckedVault};
use crate::config::{
    fault::KeyPath,
    nearest::nearest,
    raw::{RawCredential, RawCredentialFrom, RawSecret},
    settings::{AuthSettings, ModeSettings, SourceKind, SourceSettings},
    substitute,
};

/// One header that is filled from a vault, as it is written.
struct Written {
    header_path: KeyPath,
    header: String,
    value_path: KeyPath,
    value: RawSecret,
}

/// Who says where a vault's fields stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// The configuration alone.
    Written,
    /// The API's description, unless the configuration does.
    Described,
}

impl Check<'_> {
    /// The credential; none where it is wrong, so that the rest is checked all the same.
    pub(super) fn credential(
        &mut self,
        source: &KeyPath,
        raw: Option<RawCredential>,
        vaults: &[CheckedVault],
        places: Places,
    ) -> Credential {
        let path = source.key("credential");
        let Some(mut raw) = raw else { return Credential::None };
        if let Some(vault) = raw.vault.take() {
            let vault = self.of_vault(&path, &vault, raw, vaults, places);
            return vault.map_or(Credential::None, Credential::Vault);
        }
        if !raw.headers.0.is_empty() {
            self.findings.fault(
                &path.key("headers"),
                "are several headers, which only a vault fills",
                "write `vault = \"NAME\"` beside them, or one `header` and `value`",
            );
            return Credential::None;
        }
        match (raw.header, raw.value, raw.from) {
            (None, None, Some(RawCredentialFrom::Caller)) => Credential::FromCaller,
            (Some(header), Some(value), None) => self.fixed(&path, &header, value.0),
            (None, None, None) => {
                self.findings.fault(
                    &path,
                    "says nothing",
                    "write `header` and `value`, `from = \"caller\"`, or `vault = \"NAME\"`",
                );
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

    /// What each caller has in a vault, and where it stands.
    fn of_vault(
        &mut self,
        path: &KeyPath,
        name: &str,
        raw: RawCredential,
        vaults: &[CheckedVault],
        places: Places,
    ) -> Option<VaultCredential> {
        if raw.from.is_some() {
            self.findings.fault(
                path,
                "is the caller's own twice: from a vault, and what they signed in with",
                "keep one of `vault` and `from`",
            );
            return None;
        }
        let Some(vault) = vaults.iter().find(|vault| vault.name == name) else {
            let names: Vec<_> = vaults.iter().map(|vault| vault.name.as_str()).collect();
            let mend = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => {
                    format!("add `[vaults.{name}]` with `fields = {{ api_key = \"Your key\" }}`, or with `oauth`")
                }
                None => format!("there are {}", names.join(", ")),
            };
            self.findings.missing(&path.key("vault"), "there is no vault of this name", mend);
            return None;
        };
        // A vault that is wrong was named.
        let kind = &vault.definition.as_ref()?.kind;
        let fields: Vec<String> = match kind {
            VaultKind::Fields(fields) => fields.iter().map(|field| field.name.clone()).collect(),
            VaultKind::OAuth(_) => vec!["access_token".to_owned()],
        };
        let written = self.written_headers(path, raw)?;
        let places = match (kind, written.as_slice(), places) {
            (VaultKind::OAuth(_), [], _) => VaultPlaces::At(vec![bearer()?]),
            (VaultKind::Fields(_), [], Places::Described) => VaultPlaces::AsDescribed { fields },
            (VaultKind::Fields(_), [], Places::Written) => {
                let field = fields.first().map_or("api_key", String::as_str);
                self.findings.missing(
                    path,
                    "does not say in which header the vault's fields are sent",
                    format!("write `header = \"Authorization\"` and `value = \"Bearer {{{field}}}\"` beside `vault`"),
                );
                return None;
            }
            (_, written, _) => {
                let filled: Vec<_> = written.iter().map(|written| self.filled(written, &fields)).collect();
                VaultPlaces::At(filled.into_iter().collect::<Option<_>>()?)
            }
        };
        Some(VaultCredential { vault: name.to_owned(), places })
    }

    /// `header` and `value`, or `headers`.
    fn written_headers(&mut self, path: &KeyPath, raw: RawCredential) -> Option<Vec<Written>> {
        let several = raw.headers.0;
        match (raw.header, raw.value) {
            (None, None) => {
                let path = path.key("headers");
                let written = |(header, value): (String, RawSecret)| {
                    let path = path.key(&header);
                    Written { header_path: path.clone(), header, value_path: path, value }
                };
                Some(several.into_iter().map(written).collect())
            }
            (Some(header), Some(value)) if several.is_empty() => {
                let (header_path, value_path) = (path.key("header"), path.key("value"));
                Some(vec![Written { header_path, header, value_path, value }])
            }
            _ if self.findings.is_wrong_inside(path) => None,
            (Some(_), Some(_)) => {
                self.findings.fault(path, "has `header` and `headers`", "write all of them in `headers`");
                None
            }
            (Some(_), None) => {
                self.findings.fault(path, "has a header without a `value`", "write `value` beside it");
                None
            }
            (None, Some(_)) => {
                self.findings.fault(path, "has a `value` without a header", "write `header` beside it");
                None
            }
        }
    }

    fn filled(&mut self, written: &Written, fields: &[String]) -> Option<VaultPresentation> {
        let Written { header_path, header, value_path: path, value } = written;
        let Ok(name) = HeaderName::try_from(header.as_str()) else {
            let shown = self.findings.places.quote(header_path, header);
            self.findings.fault(
                header_path,
                format!("{shown} is not the name of an HTTP header"),
                "write \"Authorization\", or a name such as \"X-Api-Key\"",
            );
            return None;
        };
        let presentation = match VaultPresentation::new(Place::Header(name), &value.0) {
            Ok(presentation) => presentation,
            Err(_) => {
                self.findings.fault(
                    path,
                    "has a brace that is no placeholder",
                    "write {field} for a field of the vault, and {{ or }} for a brace",
                );
                return None;
            }
        };
        let known = fields.iter().map(|field| format!("{{{field}}}")).collect::<Vec<_>>().join(", ");
        if let Some(unknown) = presentation.fields().find(|field| fields.iter().all(|known| known != field)) {
            let shown = self.findings.places.quote(path, &format!("{{{unknown}}}"));
            self.findings.fault(path, format!("{shown} is no field of the vault"), format!("there is {known}"));
            return None;
        }
        if presentation.fields().next().is_none() {
            self.findings.fault(
                path,
                "has no field of the vault in it, and would be the same for all",
                format!("put {known} in its place, or leave `vault` out"),
            );
            return None;
        }
        Some(presentation)
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

/// How the token of a connection is sent (RFC 6750 §2.1).
fn bearer() -> Option<VaultPresentation> {
    VaultPresentation::new(Place::Header(header::AUTHORIZATION), "Bearer {access_token}").ok()
}
