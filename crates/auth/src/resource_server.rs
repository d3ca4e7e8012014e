//! The resource server where the authorization server is not ours (requirement A6): which of its
//! tokens let whom do what here, and what clients are told of it (RFC 9728). Whether a token is the
//! issuer's is [`remote`](crate::remote)'s to say.

use std::sync::Arc;

use bridgehead_core::{Claims, ScopeSet, Secret};
use serde_json::Value;

use crate::{
    Denied, Fingerprint, SigningAlgorithm,
    issuer::{ProtectedEndpoint, ProtectedResourceMetadata},
    keys,
    remote::{Expected, Introspector, RemoteIssuer, TokenFault, TokenKind, VerifiedToken},
};

/// How a resource server is set up.
#[derive(Debug, Clone)]
pub struct ResourceSettings {
    /// The public URL: a bare origin.
    pub origin: String,
    /// The endpoint that tokens are for.
    pub endpoint: ProtectedEndpoint,
    /// What `aud` has to name; `None` for the endpoint's exact URL (RFC 8707 §2).
    pub audience: Option<String>,
    /// With what tokens may be signed.
    pub algorithms: Vec<SigningAlgorithm>,
    /// The claim with the scopes: words in one text, or a list. `None` for `scope`, else `scp`.
    pub scope_claim: Option<String>,
    /// What the issuer has before each scope where one asks for it, and maybe in tokens: `api://…/`.
    pub scope_prefix: String,
    /// The claim that names the teammate.
    pub subject_claim: String,
}

impl ResourceSettings {
    /// The exact URL that a teammate types.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("{}{}", self.origin, self.endpoint.path)
    }

    /// What `aud` has to name.
    #[must_use]
    pub fn audience(&self) -> String {
        self.audience.clone().unwrap_or_else(|| self.resource())
    }
}

/// Who says whether a token is good.
#[derive(Debug)]
pub enum Judge {
    /// We do, by the issuer's keys.
    Keys,
    /// The issuer does, each time within half a minute.
    Introspection(Box<Introspector>),
}

/// The endpoint towards an authorization server that is not ours.
#[derive(Debug)]
pub struct ResourceServer {
    issuer: RemoteIssuer,
    settings: ResourceSettings,
    expected: Expected,
    judge: Judge,
}

/// Whom a token lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHolder {
    /// The teammate.
    pub subject: Arc<str>,
    /// What they may do.
    pub scopes: ScopeSet,
    /// The client that acts for them, where the token names it.
    pub client: Option<Arc<str>>,
    /// All that the token says.
    pub claims: Claims,
}

impl ResourceServer {
    /// Takes tokens of `issuer`.
    #[must_use]
    pub fn new(issuer: RemoteIssuer, settings: ResourceSettings, judge: Judge) -> Self {
        let kind = TokenKind::Access { audience: settings.audience() };
        let expected = Expected { algorithms: settings.algorithms.clone(), kind };
        Self { issuer, settings, expected, judge }
    }

    /// The authorization server.
    #[must_use]
    pub const fn issuer(&self) -> &RemoteIssuer {
        &self.issuer
    }

    /// How it is set up.
    #[must_use]
    pub const fn settings(&self) -> &ResourceSettings {
        &self.settings
    }

    /// The endpoint's metadata, which leads clients to the issuer.
    #[must_use]
    pub fn protected_resource_metadata(&self) -> ProtectedResourceMetadata {
        let endpoint = &self.settings.endpoint;
        ProtectedResourceMetadata {
            resource: self.settings.resource(),
            authorization_servers: vec![self.issuer.url().to_string()],
            scopes_supported: self.asked_for_as(&endpoint.scopes).iter().map(str::to_owned).collect(),
            bearer_methods_supported: ["header"],
            resource_name: endpoint.name.clone(),
        }
    }

    /// Where that is (RFC 9728 §3.1).
    #[must_use]
    pub fn protected_resource_metadata_url(&self) -> String {
        let path = self.settings.endpoint.path.trim_end_matches('/');
        format!("{}/.well-known/oauth-protected-resource{path}", self.settings.origin)
    }

    /// What scopes are called where clients ask the issuer for them.
    #[must_use]
    pub fn asked_for_as(&self, scopes: &ScopeSet) -> ScopeSet {
        let mut named = ScopeSet::default();
        for scope in scopes.iter() {
            // The prefix was read as a part of a scope; what the token has beside ours stays as it is.
            let ours = self.settings.endpoint.scopes.grants(scope);
            let _ = if ours {
                named.insert(&format!("{}{scope}", self.settings.scope_prefix))
            } else {
                named.insert(scope)
            };
        }
        named
    }

    /// Whom a token lets in.
    ///
    /// # Errors
    /// [`Denied::Token`] or [`Denied::IssuerUnavailable`].
    pub async fn holder(&self, token: &str) -> Result<TokenHolder, Denied> {
        let VerifiedToken { claims, .. } = match &self.judge {
            Judge::Keys => self.issuer.verify(token, &self.expected).await?,
            Judge::Introspection(introspector) => introspector.verify(&Secret::new(token.to_owned())).await?,
        };
        let claims = Claims::new(claims);
        Ok(TokenHolder {
            subject: self.subject(&claims).map_err(Denied::Token)?,
            scopes: self.scopes(&claims).map_err(Denied::Token)?,
            client: client(&claims),
            claims,
        })
    }

    fn subject(&self, claims: &Claims) -> Result<Arc<str>, TokenFault> {
        let claim = self.settings.subject_claim.as_str();
        let missing = || TokenFault::Claim { claim: claim.to_owned() };
        let subject = claims.get(claim).and_then(Value::as_str).and_then(keys::subject).ok_or_else(missing)?;
        // A name that is given here is nobody else's to give.
        if Fingerprint::is_subject(subject) {
            return Err(missing());
        }
        // Where anybody may write any address into their own profile, its owner is somebody else.
        if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(TokenFault::Unverified);
        }
        Ok(subject.into())
    }

    fn scopes(&self, claims: &Claims) -> Result<ScopeSet, TokenFault> {
        let (claim, value) = match &self.settings.scope_claim {
            Some(claim) => (claim.as_str(), claims.get(claim)),
            None => claims.get("scope").map_or_else(|| ("scp", claims.get("scp")), |value| ("scope", Some(value))),
        };
        let words: Vec<&str> = match value {
            None => Vec::new(),
            Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            Some(_) => return Err(TokenFault::Claim { claim: claim.to_owned() }),
        };
        let mut scopes = ScopeSet::default();
        for word in words {
            let bare = word.strip_prefix(self.settings.scope_prefix.as_str()).unwrap_or(word);
            // What is no scope (a role with a blank, say) grants nothing.
            let _ = scopes.insert(bare);
        }
        Ok(scopes)
    }
}

/// The client, by the names that issuers have for it: the standard's (RFC 9068 §2.2), OpenID Connect's,
/// and those of two large ones.
fn client(claims: &Claims) -> Option<Arc<str>> {
    let names = ["client_id", "azp", "cid", "appid"];
    names.iter().find_map(|name| claims.get(name)?.as_str()).and_then(keys::subject).map(Arc::from)
}
