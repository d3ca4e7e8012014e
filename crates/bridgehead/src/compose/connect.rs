//! From `[auth]` to what the connect page says of it.

use bridgehead_auth::ResourceServer;
use bridgehead_server::{
    ConnectParts,
    pages::{ClientRegistration, ForeignRegistration, ValuesFrom, WayIn},
};

use crate::config::settings::{AuthSettings, ModeSettings, RegistrationPolicy};

/// The tools are for everybody where everybody may call them.
pub(super) fn parts(auth: &AuthSettings, resource: Option<&ResourceServer>) -> ConnectParts {
    ConnectParts {
        ways_in: auth.modes().iter().map(|mode| way_in(mode, resource)).collect(),
        public_tools: matches!(auth, AuthSettings::Open),
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
