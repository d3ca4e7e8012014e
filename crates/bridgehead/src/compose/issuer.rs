//! From `[auth.oauth]` to the authorization server, and its clearing up.

use std::{sync::Arc, time::Duration};

use bridgehead_auth::{
    Issuer, IssuerParts, IssuerSettings,
    issuer::{IssuerSettingsError, ProtectedEndpoint},
    provider::Provider,
};
use bridgehead_core::{Catalog, Clock, Endpoint, EndpointId, ScopeSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Ambient, ComposeError, Keyring, fetch::StrangersDocuments};
use crate::config::{
    Fault, Faults, KeyPath, Places, Settings,
    settings::{OAuthSettings, PublicUrl},
};

/// How often what is of no use any more is cleared away.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// What the authorization server works with.
pub(super) struct Around<'a> {
    pub(super) ambient: &'a Ambient,
    pub(super) keyring: &'a Keyring,
}

/// The built-in authorization server; `None` where nobody signs in there.
pub(super) fn issuer(
    settings: &Settings,
    places: &Places,
    public_url: &Url,
    endpoint: &Endpoint,
    provider: Option<&Arc<Provider>>,
    around: &Around<'_>,
) -> Result<Option<Arc<Issuer>>, ComposeError> {
    let Some(oauth) = settings.auth.oauth() else { return Ok(None) };
    let protected = protected(settings, places, endpoint, oauth.initial_scopes.as_ref())?;
    let issuer = made(oauth, public_url, protected, around)?;
    Ok(Some(Arc::new(match provider {
        Some(provider) => issuer.with_standings(provider.clone()),
        None => issuer,
    })))
}

/// The endpoint as tokens are for it.
pub(super) fn protected(
    settings: &Settings,
    places: &Places,
    endpoint: &Endpoint,
    initial_scopes: Option<&ScopeSet>,
) -> Result<ProtectedEndpoint, ComposeError> {
    let scopes = needed(&endpoint.catalog());
    let unneeded = initial_scopes.into_iter().flat_map(ScopeSet::iter).filter(|scope| !scopes.grants(scope));
    let faults: Vec<Fault> = unneeded
        .map(|scope| {
            places.fault(
                &KeyPath::of(["auth", "oauth", "initial_scopes"]),
                format!("no tool needs the scope `{scope}`"),
                format!("leave it out; the tools need {scopes}"),
            )
        })
        .collect();
    if !faults.is_empty() {
        return Err(Faults::new(faults).into());
    }
    Ok(ProtectedEndpoint {
        id: endpoint.id.clone(),
        path: settings.server.path.clone(),
        name: settings.name.clone(),
        scopes,
        initial_scopes: initial_scopes.cloned(),
    })
}

/// The authorization server without its endpoint's tools: for commands on clients and grants. `None`
/// where nobody signs in by OAuth.
///
/// # Errors
/// The public URL is no origin.
pub fn for_commands(
    settings: &Settings,
    keyring: &Keyring,
    ambient: &Ambient,
) -> Result<Option<Issuer>, IssuerSettingsError> {
    let Some(oauth) = settings.auth.oauth() else { return Ok(None) };
    let (PublicUrl::Given(public_url) | PublicUrl::SameAsListen(public_url)) = &settings.server.public_url;
    let protected = ProtectedEndpoint {
        id: EndpointId::main(),
        path: settings.server.path.clone(),
        name: settings.name.clone(),
        scopes: ScopeSet::read_and_write(),
        initial_scopes: None,
    };
    made(oauth, public_url, protected, &Around { ambient, keyring }).map(Some)
}

fn made(
    oauth: &OAuthSettings,
    public_url: &Url,
    endpoint: ProtectedEndpoint,
    around: &Around<'_>,
) -> Result<Issuer, IssuerSettingsError> {
    let Around { ambient, keyring } = around;
    let mut settings = IssuerSettings::new(public_url.as_str(), vec![endpoint])?;
    settings.registration = oauth.registration;
    let parts = IssuerParts {
        store: keyring.store.issuer.clone(),
        fetch: Arc::new(StrangersDocuments::new(ambient.net.clone())),
        clock: ambient.clock.clone(),
        randomness: ambient.randomness.clone(),
    };
    Ok(Issuer::new(settings, parts, &keyring.roots))
}

/// All scopes that the tools need.
fn needed(catalog: &Catalog) -> ScopeSet {
    let mut scopes = ScopeSet::default();
    for entry in catalog.entries() {
        // A tool's scope was read as one before.
        let _ = scopes.insert(&entry.tool.scope);
    }
    scopes
}

/// Clears away what is of no use any more, at once and then every hour, until the server goes down.
pub(super) async fn sweep(issuer: &Issuer, clock: &dyn Clock, shutdown: &CancellationToken) {
    loop {
        match issuer.sweep().await {
            Ok(swept) => tracing::debug!(?swept, "cleared away what was over"),
            Err(error) => {
                tracing::warn!(%error, "what is over could not be cleared away; it is tried again in an hour");
            }
        }
        tokio::select! {
            () = clock.sleep(SWEEP_EVERY) => {}
            () = shutdown.cancelled() => return,
        }
    }
}
