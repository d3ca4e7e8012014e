//! From `[auth.oauth]` to the endpoint as a resource server of an authorization server that is not
//! ours, and what the operator is told of that server at the start.

use std::sync::Arc;

use bridgehead_auth::{
    Judge, ResourceServer, ResourceSettings,
    remote::{FirstDocument, Introspector, RemoteIssuer, RemoteParts},
};
use bridgehead_core::Endpoint;
use url::Url;

use super::{ComposeError, issuer, remote::ConfiguredExchange};
use crate::config::{Places, Settings};

/// The resource server; `None` where nobody signs in at an authorization server that is not ours.
pub(super) fn resource_server(
    settings: &Settings,
    places: &Places,
    public_url: &Url,
    endpoint: &Endpoint,
    around: &issuer::Around<'_>,
) -> Result<Option<Arc<ResourceServer>>, ComposeError> {
    let Some(foreign) = settings.auth.foreign_oauth() else { return Ok(None) };
    let protected = issuer::protected(settings, places, endpoint, foreign.initial_scopes.as_ref())?;
    let parts = RemoteParts {
        exchange: Arc::new(ConfiguredExchange::new(around.ambient.net.clone())),
        clock: around.ambient.clock.clone(),
    };
    let remote = RemoteIssuer::new(foreign.issuer.clone(), FirstDocument::AuthorizationServer, parts);
    let resource = ResourceSettings {
        origin: public_url.origin().ascii_serialization(),
        endpoint: protected,
        audience: foreign.audience.clone(),
        algorithms: foreign.algorithms.clone(),
        scope_claim: foreign.scope_claim.clone(),
        scope_prefix: foreign.scope_prefix.clone(),
        subject_claim: foreign.subject_claim.clone(),
    };
    let judge = match &foreign.introspection {
        Some(client) => {
            let fingerprints = around.keyring.fingerprints.clone();
            let introspector = Introspector::new(remote.clone(), client.clone(), resource.audience(), fingerprints);
            Judge::Introspection(Box::new(introspector))
        }
        None => Judge::Keys,
    };
    Ok(Some(Arc::new(ResourceServer::new(remote, resource, judge))))
}

/// How clients get to be known to an authorization server that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ForeignClients {
    /// They register themselves.
    ByThemselves,
    /// An administrator there registers each.
    ByHand,
    /// It could not be asked, and this is why.
    Unknown(String),
}

/// Asks the authorization server for the first time, and says in the log what the operator should know.
/// That it does not answer keeps nobody from starting: it is asked again when somebody calls.
pub(crate) async fn look(resource: &ResourceServer) -> ForeignClients {
    let remote = resource.issuer();
    let issuer = remote.url();
    match remote.metadata().await {
        Err(error) => {
            tracing::warn!(
                %issuer, %error,
                "the authorization server cannot be asked: nobody can sign in until it answers"
            );
            ForeignClients::Unknown(error.to_string())
        }
        Ok(metadata) if metadata.registers_clients() => ForeignClients::ByThemselves,
        Ok(_) => {
            tracing::warn!(
                %issuer,
                "the authorization server registers no clients by itself: each has to be registered there by hand. \
                 To have clients register here and teammates log in there, set issuer = \"builtin\" and \
                 login = {{ issuer = … }} in [auth.oauth]"
            );
            ForeignClients::ByHand
        }
    }
}
