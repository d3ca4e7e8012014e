//! Sources of the type `http`.

use bridgehead_core::Secret;
use bridgehead_sources::http::{self, BodySettings, HttpSettings, HttpToolSettings, RequestSettings};

use super::{
    Check,
    credential::Places,
    sql::{Around, effect},
    vaults::CheckedVault,
};
use crate::config::{
    fault::KeyPath,
    raw::{RawHttpSource, RawHttpTool, RawRequest},
};

impl Check<'_> {
    pub(super) fn http(&mut self, around: &Around<'_>, vaults: &[CheckedVault], raw: RawHttpSource) -> HttpSettings {
        let path = around.path;
        let tools = raw.tools.unwrap_or_default().0;
        if tools.is_empty() {
            self.findings.missing(
                &path.key("tools"),
                "the source has no tools",
                format!("add a table such as `[{path}.tools.create_order]` with `description` and `request`"),
            );
        }
        let tools = tools
            .into_iter()
            .filter_map(|(tool, raw)| {
                let path = path.key("tools").key(&tool);
                self.wire_name(around, &path, &tool);
                self.http_tool(&path, tool, raw)
            })
            .collect();
        let credential = self.credential(path, raw.credential, vaults, Places::Written);
        let secrets = self.secrets_below(path);
        let settings = HttpSettings { name: around.name.to_owned(), credential, tools, secrets };
        for fault in http::check(&settings) {
            let at = fault.path.iter().fold(path.clone(), |path, key| path.key(key));
            if !self.findings.is_wrong_inside(&at) {
                self.findings.fault_in_words(&at, &fault.message);
            }
        }
        settings
    }

    fn http_tool(&mut self, path: &KeyPath, name: String, raw: RawHttpTool) -> Option<HttpToolSettings> {
        let description = self.description(path, raw.description);
        let below = path.key("parameters");
        for (name, _) in raw.parameters.0.iter().filter(|(_, raw)| raw.from.is_some()) {
            self.findings.fault_at_key(
                &below.key(name).key("from"),
                "is for the statements of a `sql` source",
                "remove it; `credential` says on whose behalf a request is made",
            );
        }
        let parameters = self.parameters(&below, raw.parameters);
        let request = raw.request.and_then(|request| self.request(&path.key("request"), request));
        Some(HttpToolSettings {
            name,
            title: raw.title,
            description,
            request: request?,
            parameters,
            effect: raw.effect.map(effect),
            scope: raw.scope,
            idempotent: raw.idempotent,
            output: None,
        })
    }

    fn request(&mut self, path: &KeyPath, raw: RawRequest) -> Option<RequestSettings> {
        let bodies = [raw.json.is_some(), !raw.form.0.is_empty(), raw.text.is_some()];
        if bodies.iter().filter(|there| **there).count() > 1 {
            self.findings.fault(path, "has more than one body", "keep one of `json`, `form` and `text`");
        }
        let body = match (raw.json, raw.text) {
            (Some(json), _) => Some(BodySettings::Json(json)),
            (None, Some(text)) => Some(BodySettings::Text(text)),
            (None, None) if raw.form.0.is_empty() => None,
            (None, None) => Some(BodySettings::Form(raw.form.0)),
        };
        Some(RequestSettings {
            method: raw.method.unwrap_or_else(|| "GET".to_owned()),
            url: raw.url?,
            query: raw.query.0,
            headers: raw.headers.0.into_iter().map(|(name, value)| (name, Secret::new(value.0))).collect(),
            body,
        })
    }
}
