//! From `[auth]`, `[vaults]` and `[pages]` to what the connect page and the card say of them.

use bridgehead_auth::ResourceServer;
use bridgehead_server::{
    ConnectParts,
    pages::{ClientRegistration, ForeignRegistration, ValuesFrom, VaultLine, WayIn, paths},
};

use crate::config::{
    Settings,
    settings::{AuthSettings, ModeSettings, RegistrationPolicy},
};

/// Whether teammates who sign in make API keys for themselves. Not where they log in elsewhere: nobody
/// would ask there whether whoever made a key may still use it.
pub(crate) fn teammates_make_keys(auth: &AuthSettings) -> bool {
    let issued = |mode: &ModeSettings| matches!(mode, ModeSettings::ApiKey(_)) && mode.is_issued();
    auth.oauth().is_some_and(|oauth| oauth.login.is_none()) && auth.modes().iter().any(issued)
}

pub(crate) fn parts(settings: &Settings, resource: Option<&ResourceServer>) -> ConnectParts {
    let vault = |vault: &bridgehead_auth::credentials::VaultDefinition| VaultLine {
        title: vault.title.clone(),
        path: format!("{}{}", paths::CREDENTIALS, vault.name),
    };
    ConnectParts {
        ways_in: settings.auth.modes().iter().map(|mode| way_in(mode, resource)).collect(),
        vaults: settings.vaults.iter().map(vault).collect(),
        public_tools: settings.pages.public_tools,
    }
}

fn way_in(mode: &ModeSettings, resource: Option<&ResourceServer>) -> WayIn {
    let from = if mode.is_handed_through() { ValuesFrom::SystemBehind } else { ValuesFrom::Here };
    match mode {
        ModeSettings::ApiKey(settings) => {
            WayIn::ApiKey { header: (!settings.header.is_bearer()).then(|| settings.header.title()), from }
        }
        ModeSettings::Headers(settings) => WayIn::Headers {
            required: settings.headers.required().iter().map(bridgehead_auth::KeyHeader::title).collect(),
            optional: settings.headers.optional().iter().map(bridgehead_auth::KeyHeader::title).collect(),
            from,
        },
        ModeSettings::OAuth(settings) => WayIn::OAuth {
            registration: match settings.registration {
                RegistrationPolicy::Open => ClientRegistration::Open,
                RegistrationPolicy::Closed => ClientRegistration::Closed,
            },
        },
        ModeSettings::ForeignOAuth(settings) => WayIn::ForeignOAuth {
            issuer: settings.issuer.to_string(),
            // The page asks when it is looked at.
            registration: ForeignRegistration::Unknown,
            scopes: resource
                .map(|resource| resource.asked_for_as(&resource.settings().endpoint.scopes).to_string())
                .unwrap_or_default(),
        },
    }
}
