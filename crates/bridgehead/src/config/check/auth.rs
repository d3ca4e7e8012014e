//! `[auth]`: the modes, and what they have to do with each other. Who judges what a caller sends
//! is looked at in [`super::verify`].

use bridgehead_auth::{CallerHeaders, CallerHeadersError, KeyHeader, KeyHeaderError};
use bridgehead_core::ScopeSet;

use super::{Check, verify::Behind};
use crate::config::{
    fault::KeyPath,
    raw::{OneOrMany, RawApiKey, RawAuth, RawHeaders, RawLogin, RawLoginName, RawMode, RawOauth, RawRegistration},
    settings::{
        ApiKeySettings, AuthSettings, HeadersSettings, ModeSettings, OAuthSettings, RegistrationPolicy, StoreSettings,
        VerifySettings,
    },
};

impl Check<'_> {
    pub(super) fn auth(&mut self, raw: Option<RawAuth>, behind: &Behind<'_>) -> Option<AuthSettings> {
        let auth = KeyPath::of(["auth"]);
        let path = auth.key("mode");
        let RawAuth { mode, api_key, headers, oauth } = raw.unwrap_or_default();
        let modes = match mode {
            Some(OneOrMany::One(mode)) => Some(vec![mode]),
            Some(OneOrMany::Many(modes)) => Some(modes),
            None => None,
        };
        let named = |mode| modes.as_ref().is_some_and(|modes| modes.contains(&mode));
        let written = [
            (RawMode::ApiKey, "api_key", api_key.is_some(), "for a key"),
            (RawMode::Headers, "headers", headers.is_some(), "for them"),
            (RawMode::Oauth, "oauth", oauth.is_some(), "to sign in"),
        ];
        let oauth = self.oauth(&auth.key("oauth"), oauth.unwrap_or_default());
        let api_key = self.api_key(&auth.key("api_key"), api_key.unwrap_or_default(), named(RawMode::ApiKey), behind);
        let headers = match (headers, named(RawMode::Headers)) {
            (Some(raw), named) => self.headers(&auth.key("headers"), raw, named, behind),
            (None, true) => {
                self.findings.missing(
                    &auth.key("headers"),
                    "it is not said which headers callers send",
                    "add `[auth.headers]` with `required = [\"X-Api-Key\", \"X-Tenant\"]`",
                );
                None
            }
            (None, false) => None,
        };
        let Some(modes) = modes else {
            self.findings.missing(
                &path,
                "it is not said how callers sign in",
                "write `mode = \"api_key\"` in `[auth]` to give each teammate a key, or `mode = \"open\"` if anybody who reaches the server may call every tool",
            );
            return None;
        };
        for (mode, key, _, asked) in
            written.into_iter().filter(|(mode, _, written, _)| *written && !modes.contains(mode))
        {
            self.without_effect(&auth.key(key), mode, &modes, asked);
        }
        if modes == [RawMode::Open] {
            return Some(AuthSettings::Open);
        }
        if modes.contains(&RawMode::Open) {
            self.findings.fault(
                &path,
                "\"open\" stands beside another mode, which nobody would have to use",
                "remove \"open\" to have callers sign in, or the others to let anybody in",
            );
            return None;
        }
        if modes.iter().enumerate().any(|(index, mode)| modes.iter().take(index).any(|earlier| earlier == mode)) {
            self.findings.fault(&path, "names a mode twice", "name it once");
            return None;
        }
        let mut built = Vec::new();
        for mode in modes {
            match mode {
                RawMode::ApiKey => built.push(ModeSettings::ApiKey(api_key.clone()?)),
                RawMode::Headers => built.push(ModeSettings::Headers(headers.clone()?)),
                RawMode::Oauth => built.push(oauth.clone()?),
                // Named above.
                RawMode::Open => return None,
            }
        }
        self.modes_are_apart(&path, &built);
        Some(AuthSettings::SignIn(built))
    }

    fn without_effect(&mut self, table: &KeyPath, mode: RawMode, modes: &[RawMode], asked: &str) {
        let word = match mode {
            RawMode::Headers => "headers",
            RawMode::Oauth => "oauth",
            RawMode::ApiKey | RawMode::Open => "api_key",
        };
        if modes.contains(&RawMode::Open) {
            self.findings.warn(
                table,
                format!("has no effect, as `auth.mode` is \"open\": nobody is asked {asked}"),
                format!("write `mode = \"{word}\"`, or remove this table"),
            );
        } else {
            self.findings.warn(
                table,
                format!("has no effect, as `auth.mode` does not name \"{word}\""),
                format!("add \"{word}\" to `auth.mode`, or remove this table"),
            );
        }
    }

    fn api_key(&mut self, path: &KeyPath, raw: RawApiKey, named: bool, behind: &Behind<'_>) -> Option<ApiKeySettings> {
        let header = self.key_header(&path.key("header"), raw.header.as_deref().unwrap_or("Authorization"));
        let verify = self.verify(path, raw.verify, raw.probe, behind);
        if named && let Some(verify) = &verify {
            self.somebody_judges(path, verify, behind);
        }
        Some(ApiKeySettings { header: header?, verify: verify? })
    }

    fn headers(
        &mut self,
        path: &KeyPath,
        raw: RawHeaders,
        named: bool,
        behind: &Behind<'_>,
    ) -> Option<HeadersSettings> {
        let required = path.key("required");
        let count = raw.required.as_ref().map(Vec::len);
        let mut parse = |path: &KeyPath, names: Option<Vec<String>>| {
            let names = names.unwrap_or_default();
            let parsed: Vec<_> =
                names.iter().enumerate().map(|(index, name)| self.key_header(&path.index(index), name)).collect();
            parsed.into_iter().collect::<Option<Vec<_>>>()
        };
        let names = (parse(&required, raw.required), parse(&path.key("optional"), raw.optional));
        let headers = match names {
            (Some(required), Some(optional)) => Some(CallerHeaders::new(required, optional)),
            _ => None,
        };
        match &headers {
            Some(Err(CallerHeadersError::NoneRequired)) if count.is_some() => self.findings.fault(
                &required,
                "names no header, so that everybody would be let in",
                "name at least one: required = [\"X-Api-Key\"]",
            ),
            Some(Err(CallerHeadersError::Twice(name))) => {
                self.findings.fault_at_key(path, format!("names the header `{name}` twice"), "name it once");
            }
            // One that is not there at all was named by the schema.
            Some(Ok(_) | Err(CallerHeadersError::NoneRequired)) | None => {}
        }
        let verify = self.verify(path, raw.verify, raw.probe, behind);
        if named && let Some(verify) = &verify {
            self.somebody_judges(path, verify, behind);
        }
        Some(HeadersSettings { headers: headers?.ok()?, verify: verify? })
    }

    fn oauth(&mut self, path: &KeyPath, raw: RawOauth) -> Option<ModeSettings> {
        match raw.issuer.as_deref() {
            None | Some("builtin") => self.builtin(path, raw).map(ModeSettings::OAuth),
            Some(_) => self.foreign(path, raw).map(ModeSettings::ForeignOAuth),
        }
    }

    fn builtin(&mut self, path: &KeyPath, raw: RawOauth) -> Option<OAuthSettings> {
        self.nothing_foreign(path, &raw);
        let initial_scopes = self.initial_scopes(path, raw.initial_scopes);
        let login = match raw.login {
            Some(RawLogin::Provider(raw)) => self.provider(&path.key("login"), *raw).map(|login| Some(Box::new(login))),
            Some(RawLogin::Named(RawLoginName::Password)) | None => Some(None),
        };
        let registration = match raw.registration {
            None | Some(RawRegistration::Open) => RegistrationPolicy::Open,
            Some(RawRegistration::Closed) => RegistrationPolicy::Closed,
        };
        Some(OAuthSettings { registration, login: login?, initial_scopes: initial_scopes? })
    }

    /// Whether the tools need these scopes is seen when there are tools. `Some(None)` where none are
    /// named, `None` where one is wrong.
    pub(super) fn initial_scopes(&mut self, path: &KeyPath, raw: Option<Vec<String>>) -> Option<Option<ScopeSet>> {
        let mut scopes = ScopeSet::default();
        let path = path.key("initial_scopes");
        let mut faulty = false;
        for (index, scope) in raw.iter().flatten().enumerate() {
            // One setting holds one scope, where a parameter of OAuth holds several.
            if scope.contains(char::is_whitespace) || scopes.insert(scope).is_err() {
                faulty = true;
                let path = path.index(index);
                let shown = self.findings.places.quote(&path, scope);
                self.findings.fault(
                    &path,
                    format!("{shown} is not a scope"),
                    "write one word in each, for example [\"tools:read\", \"tools:write\"]",
                );
            }
        }
        (!faulty).then(|| Some(scopes).filter(|scopes| !scopes.is_empty()))
    }

    fn key_header(&mut self, path: &KeyPath, text: &str) -> Option<KeyHeader> {
        let shown = self.findings.places.quote(path, text);
        match KeyHeader::parse(text) {
            Ok(header) => Some(header),
            Err(KeyHeaderError::Reserved(_)) => {
                self.findings.fault(
                    path,
                    format!("{shown} means something else in every request"),
                    "write \"Authorization\", or a name of its own such as \"X-Api-Key\"",
                );
                None
            }
            Err(KeyHeaderError::NotAName(_)) => {
                self.findings.fault(
                    path,
                    format!("{shown} is not the name of an HTTP header"),
                    "write \"Authorization\", or a name such as \"X-Api-Key\"",
                );
                None
            }
        }
    }

    /// Modes that look for the same thing in the same header: one would take what is the other's.
    /// What is issued here and what is not are told apart by the prefix.
    fn modes_are_apart(&mut self, path: &KeyPath, modes: &[ModeSettings]) {
        let ([ModeSettings::ApiKey(api_key), ModeSettings::Headers(headers)]
        | [ModeSettings::Headers(headers), ModeSettings::ApiKey(api_key)]) = modes
        else {
            return;
        };
        if !headers.headers.required().contains(&api_key.header) {
            return;
        }
        let shared = api_key.header.title();
        match (&api_key.verify, &headers.verify) {
            (VerifySettings::Issued, VerifySettings::Issued) => self.findings.fault(
                path,
                format!("`{shared}` is a header of both modes: who sends it alone gets in by \"api_key\", whatever else \"headers\" asks for"),
                "name one of the two modes, or give `auth.api_key.header` a name of its own",
            ),
            (VerifySettings::Upstream { .. }, VerifySettings::Upstream { .. })
                if matches!(modes.first(), Some(ModeSettings::ApiKey(_))) =>
            {
                self.findings.fault(
                    path,
                    format!("`{shared}` is a header of both modes: \"api_key\" stands first and takes it, so that \"headers\" is never asked"),
                    "write [\"headers\", \"api_key\"]",
                );
            }
            _ => {}
        }
    }

    /// What is remembered about callers should outlive a restart.
    pub(super) fn callers_are_kept(&mut self, auth: &AuthSettings, store: &StoreSettings) {
        if *store != StoreSettings::Memory || auth.modes().is_empty() {
            return;
        }
        let lost = if auth.oauth().is_some() {
            "all accounts, connections and keys are lost when the server stops"
        } else if auth.modes().iter().any(ModeSettings::is_issued) {
            "all keys are lost when the server stops"
        } else {
            "who was cut off gets in again when the server starts anew"
        };
        self.findings.warn(
            &KeyPath::of(["store", "url"]),
            format!("keeps everything in memory: {lost}"),
            "write \"sqlite:bridgehead.db\", except for a trial",
        );
    }
}
