//! Sources of the type `openapi`: all that can be said without the description, which is read
//! when the app is composed.

use bridgehead_sources::openapi::{ConvertSettings, Filter, OpenApiSettings, Presents, Shaping};
use url::Url;

use super::{
    Check,
    credential::Places,
    sql::{Around, effect},
    vaults::CheckedVault,
};
use crate::config::{
    fault::KeyPath,
    raw::{RawInclude, RawOpenapiSource, RawShape},
    settings::{OpenApiSourceSettings, Spec},
};

/// How long a tool's name may be on the wire.
const MAX_WIRE_NAME: usize = 64;

impl Check<'_> {
    pub(super) fn openapi(
        &mut self,
        around: &Around<'_>,
        vaults: &[CheckedVault],
        raw: RawOpenapiSource,
    ) -> Option<OpenApiSourceSettings> {
        let path = around.path;
        let base_url = raw.base_url.and_then(|text| self.http_url(&path.key("base_url"), &text));
        let include = self.filter(raw.include);
        let exclude = self.filter(raw.exclude);
        let credential = self.credential(path, raw.credential, vaults, Places::Described);
        let tools = raw.tools.0.into_iter().map(|(operation, raw)| (operation, shaping(raw))).collect();
        let spec = self.spec(&path.key("spec"), &raw.spec?);
        let prefix = around.prefix;
        let max_name = if prefix.is_empty() { MAX_WIRE_NAME } else { MAX_WIRE_NAME.saturating_sub(prefix.len() + 1) };
        let presents = Presents::of(&credential);
        let convert =
            ConvertSettings { base_url, include, exclude, tools, presents, max_name, ..ConvertSettings::default() };
        let secrets = self.secrets_below(&path.key("tools"));
        let settings = OpenApiSettings { name: around.name.to_owned(), convert, credential, secrets };
        Some(OpenApiSourceSettings { spec, settings })
    }

    fn spec(&self, _: &KeyPath, text: &str) -> Spec {
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Spec::Url(url),
            _ => Spec::File(self.absolute(text)),
        }
    }

    fn http_url(&mut self, path: &KeyPath, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if url.is_none() {
            let shown = self.findings.places.quote(path, text);
            self.findings.fault(
                path,
                format!("{shown} is not an http or https URL"),
                "write it whole, for example \"https://crm.internal/api\"",
            );
        }
        url
    }

    fn filter(&mut self, raw: Option<RawInclude>) -> Filter {
        let raw = raw.unwrap_or_default();
        Filter { tags: raw.tags, operations: raw.operations, methods: raw.methods, paths: raw.paths }
    }
}

fn shaping(raw: RawShape) -> Shaping {
    // `select` was named by `not_yet`.
    Shaping {
        name: raw.name,
        title: raw.title,
        description: raw.description,
        hide: raw.hide.unwrap_or_default(),
        set: raw.set.0.into_iter().collect(),
        effect: raw.effect.map(effect),
        scope: raw.scope,
    }
}
