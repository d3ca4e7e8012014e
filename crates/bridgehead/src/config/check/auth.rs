//! `[auth]`.

use bridgehead_auth::{KeyHeader, KeyHeaderError};

use super::Check;
use crate::config::{
    fault::KeyPath,
    raw::{OneOrMany, RawApiKey, RawAuth, RawMode},
    settings::{ApiKeySettings, AuthSettings, ModeSettings, StoreSettings},
};

impl Check<'_> {
    pub(super) fn auth(&mut self, raw: Option<RawAuth>) -> Option<AuthSettings> {
        let auth = KeyPath::of(["auth"]);
        let path = auth.key("mode");
        let raw = raw.unwrap_or_default();
        let has_api_key = raw.api_key.is_some();
        let api_key = self.api_key(&auth.key("api_key"), raw.api_key.unwrap_or_default());
        let modes = match raw.mode {
            Some(OneOrMany::One(mode)) => vec![mode],
            Some(OneOrMany::Many(modes)) => modes,
            None => {
                self.findings.missing(
                    &path,
                    "it is not said how callers sign in",
                    "write `mode = \"api_key\"` in `[auth]` to give each teammate a key, or `mode = \"open\"` if anybody who reaches the server may call every tool",
                );
                return None;
            }
        };
        if modes == [RawMode::Open] {
            if has_api_key {
                self.findings.warn(
                    &auth.key("api_key"),
                    "has no effect, as `auth.mode` is \"open\": nobody is asked for a key",
                    "write `mode = \"api_key\"`, or remove this table",
                );
            }
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
        // The other modes were named by `not_yet`.
        let known = modes.iter().all(|mode| *mode == RawMode::ApiKey);
        known.then_some(AuthSettings::SignIn(vec![ModeSettings::ApiKey(api_key?)]))
    }

    fn api_key(&mut self, path: &KeyPath, raw: RawApiKey) -> Option<ApiKeySettings> {
        let path = path.key("header");
        let text = raw.header.unwrap_or_else(|| "Authorization".to_owned());
        let shown = self.findings.places.quote(&path, &text);
        match KeyHeader::parse(&text) {
            Ok(header) => Some(ApiKeySettings { header }),
            Err(KeyHeaderError::Reserved(_)) => {
                self.findings.fault(
                    &path,
                    format!("{shown} means something else in every request"),
                    "write \"Authorization\", or a name of its own such as \"X-Api-Key\"",
                );
                None
            }
            Err(KeyHeaderError::NotAName(_)) => {
                self.findings.fault(
                    &path,
                    format!("{shown} is not the name of an HTTP header"),
                    "write \"Authorization\", or a name such as \"X-Api-Key\"",
                );
                None
            }
        }
    }

    /// Keys that callers are given should outlive a restart.
    pub(super) fn keys_are_kept(&mut self, auth: &AuthSettings, store: &StoreSettings) {
        let AuthSettings::SignIn(_) = auth else { return };
        if *store == StoreSettings::Memory {
            self.findings.warn(
                &KeyPath::of(["store", "url"]),
                "keeps everything in memory: all keys are lost when the server stops",
                "write \"sqlite:bridgehead.db\", except for a trial",
            );
        }
    }
}
