//! From `[auth]` to the modes that are asked who is calling.

use std::sync::Arc;

use bridgehead_auth::{
    ApiKeyMode, ForeignMode, HandedThrough, HeadersMode, Issuer, Mode, Modes, OAuthMode, OpenMode, Probe, Remembered,
    RememberedFor, ResourceServer, provider::Provider,
};
use bridgehead_core::EndpointId;

use super::{Ambient, ComposeError, FromCode, Keyring, probe::SystemProbe};
use crate::config::{
    Faults, KeyPath, Places, Settings,
    settings::{AuthSettings, ModeSettings, ProbeSettings, VerifySettings},
};

/// What the modes of an endpoint are built from.
pub(super) struct Around<'a> {
    pub(super) settings: &'a Settings,
    pub(super) places: &'a Places,
    pub(super) ambient: &'a Ambient,
    pub(super) keyring: &'a Keyring,
    pub(super) from_code: &'a FromCode,
    /// The authorization server, where there is one.
    pub(super) issuer: Option<&'a Arc<Issuer>>,
    /// The identity provider in front of it, where there is one.
    pub(super) provider: Option<&'a Arc<Provider>>,
    /// The endpoint towards an authorization server that is not ours, where there is one.
    pub(super) resource: Option<&'a Arc<ResourceServer>>,
}

/// The modes, in the order in which they are asked.
pub(super) fn modes(around: &Around<'_>, endpoint: &EndpointId) -> Result<Modes, ComposeError> {
    let modes = match &around.settings.auth {
        AuthSettings::Open => vec![Box::new(OpenMode) as Box<dyn Mode>],
        AuthSettings::SignIn(modes) => {
            modes.iter().filter_map(|mode| one(around, mode, endpoint).transpose()).collect::<Result<_, _>>()?
        }
    };
    Ok(Modes::new(&*around.settings.name, modes))
}

/// `None` for OAuth without an authorization server, which there is wherever the mode is.
fn one(around: &Around<'_>, mode: &ModeSettings, endpoint: &EndpointId) -> Result<Option<Box<dyn Mode>>, ComposeError> {
    let keys = || around.keyring.keys.clone();
    Ok(Some(match mode {
        ModeSettings::ApiKey(settings) => {
            let header = settings.header.clone();
            Box::new(match handed_through(around, &settings.verify, "api_key")? {
                None => ApiKeyMode::issued(keys(), header, endpoint.clone()),
                Some(callers) => ApiKeyMode::handed_through(callers, header),
            })
        }
        ModeSettings::Headers(settings) => {
            let headers = settings.headers.clone();
            Box::new(match handed_through(around, &settings.verify, "headers")? {
                None => HeadersMode::issued(keys(), headers, endpoint.clone()),
                Some(callers) => HeadersMode::handed_through(callers, headers),
            })
        }
        ModeSettings::OAuth(_) => {
            let Some(issuer) = around.issuer else { return Ok(None) };
            let mode = OAuthMode::new(issuer.clone(), endpoint.clone()).with_blocks(around.keyring.blocks.clone());
            Box::new(match around.provider {
                Some(provider) => mode.with_provider(provider.clone()),
                None => mode,
            })
        }
        ModeSettings::ForeignOAuth(_) => {
            let Some(resource) = around.resource else { return Ok(None) };
            Box::new(ForeignMode::new(resource.clone(), around.keyring.blocks.clone()))
        }
    }))
}

/// What names the callers of a mode whose credentials are not issued here; `None` for one whose
/// are.
fn handed_through(
    around: &Around<'_>,
    verify: &VerifySettings,
    mode: &str,
) -> Result<Option<HandedThrough>, ComposeError> {
    let VerifySettings::Upstream { probe } = verify else { return Ok(None) };
    let fingerprints = &around.keyring.fingerprints;
    let probe = match probe {
        Some(settings) => {
            let probe = probe_of(settings, around, &KeyPath::of(["auth", mode, "probe"]))?;
            let clock = around.ambient.clock.clone();
            let remembered = Remembered::new(probe, fingerprints.clone(), clock, RememberedFor::default());
            Some(Arc::new(remembered) as Arc<dyn Probe>)
        }
        None => None,
    };
    Ok(Some(HandedThrough::new(fingerprints.clone(), around.keyring.blocks.clone(), probe)))
}

/// How the system behind is asked about a credential: as code says, for a source that code brings,
/// else by a request to the system behind the source.
fn probe_of(settings: &ProbeSettings, around: &Around<'_>, path: &KeyPath) -> Result<Arc<dyn Probe>, ComposeError> {
    if let Some((_, probe)) = around.from_code.probes.iter().find(|(source, _)| *source == settings.source) {
        return Ok(probe.clone());
    }
    let source = around.settings.sources.iter().find(|source| source.name == settings.source);
    let probe = match source {
        Some(source) => SystemProbe::new(settings, source, around.ambient),
        None => Err(format!("there is no source `{}`", settings.source)),
    };
    match probe {
        Ok(probe) => Ok(Arc::new(probe)),
        Err(message) => {
            let fault =
                around.places.fault(path, message, "name a source of the type openapi or http, with its base_url");
            Err(Faults::from(fault).into())
        }
    }
}
