//! A teammate connects by OAuth: on their way to the authorization server of the system behind, and
//! back (RFC 6749 §4.1 with PKCE, RFC 7636). What comes back counts once, for ten minutes, and only in
//! the browser session in which it began: a link that somebody sent along collects nothing.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    CREDENTIALS_PATH, OAuthVault, Owner, PendingConnection, UpstreamCredentials, VaultDefinition, VaultKind,
    random_text,
    sealed::Content,
    token::{self, NotGranted},
};
use crate::{Session, StoreError};

/// How long a teammate may be away.
const LASTS: SignedDuration = SignedDuration::from_secs(10 * 60);

/// Why nobody was sent on their way.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BeginConnectionError {
    /// The vault has fields to fill in.
    #[error("this is entered, not connected")]
    NoOAuth,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nothing is connected, after somebody came back.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// They were not on their way: too late, a second time, in another browser, by somebody else's
    /// link.
    #[error("this does not belong to a connection that was begun in this browser within the last ten minutes")]
    Unknown,
    /// They, or the system behind, decided against it.
    #[error("it was not allowed there ({error})")]
    Denied {
        /// The word of RFC 6749 §4.1.2.1, cleaned.
        error: String,
    },
    /// The code was not taken.
    #[error("the answer that you came back with is not good any more")]
    Expired,
    /// Bridgehead is not set up there as it is here: the operator's to mend.
    #[error("the other side does not accept this server as a client ({error})")]
    Client {
        /// The word of RFC 6749 §5.2, cleaned.
        error: String,
    },
    /// The other side does not answer, or not in a way that can be read.
    #[error("the other side does not answer as it should ({what})")]
    Down {
        /// What happened.
        what: String,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UpstreamCredentials {
    /// Where a vault's authorization server sends teammates back to, to be registered there.
    #[must_use]
    pub fn redirect_uri(&self, vault: &VaultDefinition) -> String {
        format!("{}{CREDENTIALS_PATH}{}/callback", self.0.public_url, vault.name)
    }

    /// Where a teammate is sent to connect a vault; they go on to `next` when they are back.
    ///
    /// # Errors
    /// [`BeginConnectionError`].
    pub async fn begin(
        &self,
        vault: &VaultDefinition,
        session: &Session,
        next: Option<&str>,
    ) -> Result<Url, BeginConnectionError> {
        let VaultKind::OAuth(oauth) = &vault.kind else { return Err(BeginConnectionError::NoOAuth) };
        let parts = &self.0.parts;
        let (state, verifier) = (random_text(&*parts.randomness), random_text(&*parts.randomness));
        let subject = session.user.address.to_shared();
        let pending = PendingConnection {
            state: Sha256::digest(state.as_bytes()).into(),
            session: session.id.clone(),
            vault: vault.name.clone(),
            verifier: parts.vault.seal(&verifier_of(&vault.name, &subject), verifier.as_bytes(), &*parts.randomness),
            subject,
            next: next.map(str::to_owned),
            expires_at: self.0.in_time(LASTS),
        };
        parts.store.begin_connection(&pending, self.0.now()).await?;
        Ok(oauth.authorization(&self.redirect_uri(vault), &state, &verifier))
    }

    /// Takes what a teammate came back with, and keeps the tokens for it. The answer is where they go on
    /// to, if they were on their way somewhere.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn finish(
        &self,
        vault: &VaultDefinition,
        session: &Session,
        query: &[(String, String)],
    ) -> Result<Option<String>, ConnectError> {
        let VaultKind::OAuth(oauth) = &vault.kind else { return Err(ConnectError::Unknown) };
        let parts = &self.0.parts;
        let state = one(query, "state").ok_or(ConnectError::Unknown)?;
        let state: [u8; 32] = Sha256::digest(state.as_bytes()).into();
        let pending = parts.store.take_connection(&state, self.0.now()).await?.ok_or(ConnectError::Unknown)?;
        let is_theirs = pending.session == session.id
            && *pending.subject == *session.user.address.as_str()
            && pending.vault == vault.name;
        if !is_theirs {
            let subject = &session.user.address;
            tracing::warn!(target: "audit", event = "connection_of_another", %subject, vault = %vault.name, "refused: a connection that was begun elsewhere");
            return Err(ConnectError::Unknown);
        }
        if let Some(error) = one(query, "error") {
            return Err(ConnectError::Denied { error: token::words(error) });
        }
        let code = one(query, "code").ok_or(ConnectError::Unknown)?;
        let what = verifier_of(&pending.vault, &pending.subject);
        let verifier = parts.vault.open(&what, &pending.verifier).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let verifier = verifier.ok_or(ConnectError::Unknown)?;
        let request = oauth.for_code(code, &self.redirect_uri(vault), &verifier);
        let granted = token::ask(&*parts.tokens, request, None).await.map_err(|error| refused(vault, error))?;
        let owner = Owner { vault: pending.vault, subject: pending.subject };
        let expires_at = granted.expires_in.map(|seconds| self.0.in_time(SignedDuration::from_secs(seconds)));
        self.keep(&owner, &Content::OAuth(granted.tokens), expires_at).await?;
        Ok(pending.next)
    }
}

impl OAuthVault {
    /// RFC 6749 §4.1.1, RFC 7636 §4.3. What stands in the URL already stays.
    fn authorization(&self, redirect_uri: &str, state: &str, verifier: &str) -> Url {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let mut url = self.authorization_url.clone();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let mut query = url.query_pairs_mut();
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", redirect_uri),
            ("state", state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        if !self.scopes.is_empty() {
            query.append_pair("scope", &self.scopes.join(" "));
        }
        drop(query);
        url
    }
}

fn refused(vault: &VaultDefinition, error: NotGranted) -> ConnectError {
    tracing::warn!(vault = %vault.name, ?error, "a code was not exchanged for tokens");
    match error {
        NotGranted::Grant => ConnectError::Expired,
        NotGranted::Client { error } => ConnectError::Client { error },
        NotGranted::Down(down) => ConnectError::Down { what: down.to_string() },
        NotGranted::Unreadable => ConnectError::Down { what: "there is no token in its answer".to_owned() },
    }
}

/// What a verifier is sealed as.
fn verifier_of(vault: &str, subject: &str) -> String {
    format!("upstream verifier/{vault}/{subject}")
}

/// The value of a parameter; `None` also where it stands twice.
fn one<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    let mut values = query.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
    values.next().filter(|_| values.next().is_none())
}
