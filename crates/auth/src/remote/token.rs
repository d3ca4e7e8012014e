//! JWTs of a remote issuer: what they are signed with, by whom, for whom and for when (RFC 7519, RFC
//! 8725, RFC 9068, OpenID Connect Core §3.1.3.7).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use super::{IssuerUrl, RemoteError, keys::KeySet};
use crate::{SigningAlgorithm, denied::shown};

/// How far clocks may be apart, in seconds.
const LEEWAY: f64 = 60.0;
/// How long a token may be, in bytes. It came in a header.
const LONGEST: usize = 16 * 1024;

/// What a token has to be.
#[derive(Debug, Clone)]
pub struct Expected {
    /// With what it may be signed; pinned by the configuration, never by the token.
    pub algorithms: Vec<SigningAlgorithm>,
    /// What it is presented as.
    pub kind: TokenKind,
}

/// What a token is presented as.
#[derive(Debug, Clone)]
pub enum TokenKind {
    /// An access token (RFC 9068) for this audience. Issuers that do not type their tokens are taken as
    /// well, as long as nothing says that it is another kind.
    Access {
        /// What `aud` has to name.
        audience: String,
    },
    /// An ID token for this client.
    Id {
        /// What `aud` has to name, and `azp` where it is there.
        client_id: String,
        /// What `nonce` has to be; with a refreshed token, which need not repeat it, it is not looked at.
        nonce: Option<String>,
    },
}

/// A token that is good.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    /// Its claims.
    pub claims: Map<String, Value>,
    /// Until when it is good, without leeway.
    pub expires_at: Timestamp,
}

/// Why a token is not let in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// It is not good.
    #[error(transparent)]
    Refused(#[from] TokenFault),
    /// Nobody can say whether it is.
    #[error(transparent)]
    Unavailable(#[from] RemoteError),
}

/// What is wrong with a token. `Display` is for whoever sent it, and for whoever set up the issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It has not the form.
    #[error("It is no JWT.")]
    NotAJwt,
    /// It has more than 16 KiB.
    #[error("It is longer than 16 KiB. Have the sign-in service put less into it.")]
    TooLong,
    /// Its algorithm is `none`.
    #[error("It is not signed.")]
    Unsigned,
    /// Its algorithm is not one of those that are taken.
    #[error("It is signed with another algorithm than {taken}.")]
    Algorithm {
        /// What is taken.
        taken: String,
    },
    /// Its header names something critical (RFC 7515 §4.1.11), and nothing of the kind is understood.
    #[error("Its header has `crit`, and nothing critical is understood here.")]
    Critical,
    /// It says that it is something else, such as an ID token (RFC 9068 §4).
    #[error("It is no {expected}, but another kind of token. The application has to send its {expected}.")]
    OtherKind {
        /// What it should be.
        expected: &'static str,
    },
    /// It is bound to a key of the client's (RFC 9449 §6, RFC 8705 §3.1), which is not asked for here.
    #[error("It is bound to a key of the application, which cannot be checked here. Have a bearer token issued.")]
    Bound,
    /// Another issuer made it.
    #[error("It does not come from {expected}.")]
    OtherIssuer {
        /// Who should have.
        expected: String,
    },
    /// The issuer has no such key (any more).
    #[error("The sign-in service has no key with which it can be signed.")]
    UnknownKey,
    /// It was changed, or somebody else signed it.
    #[error("Its signature is not good.")]
    Signature,
    /// It is for somebody else.
    #[error("It is for another audience than `{expected}`.")]
    OtherAudience {
        /// For whom it should be.
        expected: String,
    },
    /// Its time is over.
    #[error("It expired at {}. The application has to renew it; if it does not, connect it again.", shown(.at))]
    Expired {
        /// When it was.
        at: Timestamp,
    },
    /// Its time has not come.
    #[error("It is not good before {}. The clock of this server or of the sign-in service is wrong.", shown(.from))]
    NotYetValid {
        /// When it will.
        from: Timestamp,
    },
    /// A claim is not there, or has another type.
    #[error("Its claim `{claim}` is missing, or not of the right type.")]
    Claim {
        /// The name of the claim.
        claim: String,
    },
    /// The caller is named by a mail address that is not known to be theirs.
    #[error("The sign-in service does not say that the mail address in it is verified.")]
    Unverified,
    /// An ID token for another sign-in.
    #[error("It is for another sign-in: its nonce is not the one that was sent.")]
    Nonce,
    /// The issuer says that it is not good (RFC 7662 §2.2).
    #[error("The sign-in service does not accept it any more.")]
    Inactive,
}

impl TokenFault {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAJwt => "token_not_a_jwt",
            Self::TooLong => "token_too_long",
            Self::Unsigned => "token_unsigned",
            Self::Algorithm { .. } => "token_algorithm",
            Self::Critical => "token_critical",
            Self::OtherKind { .. } => "token_of_another_kind",
            Self::Bound => "token_bound",
            Self::OtherIssuer { .. } => "token_issuer",
            Self::UnknownKey => "token_key",
            Self::Signature => "token_signature",
            Self::OtherAudience { .. } => "token_audience",
            Self::Expired { .. } => "token_expired",
            Self::NotYetValid { .. } => "token_not_yet_valid",
            Self::Claim { .. } => "token_claim",
            Self::Unverified => "token_mail_unverified",
            Self::Nonce => "token_nonce",
            Self::Inactive => "token_inactive",
        }
    }

    /// Whether a key that is not here yet may be why. A bad signature tells so only where the token does
    /// not name its key.
    pub(super) const fn may_be_a_new_key(&self, presented: &Presented<'_>) -> bool {
        matches!(self, Self::UnknownKey) || (matches!(self, Self::Signature) && presented.kid.is_none())
    }
}

/// A token whose signature is still to be checked.
pub(super) struct Presented<'t> {
    text: &'t str,
    algorithm: Algorithm,
    kid: Option<String>,
}

/// What can be said without a key: its form, its algorithm and what it says of itself. Nothing of it is
/// believed yet.
pub(super) fn read<'t>(text: &'t str, issuer: &IssuerUrl, expected: &Expected) -> Result<Presented<'t>, TokenFault> {
    if text.len() > LONGEST {
        return Err(TokenFault::TooLong);
    }
    let parts: Vec<_> = text.split('.').collect();
    let [header, claims, _signature] = parts[..] else { return Err(TokenFault::NotAJwt) };
    let header = part(header).ok_or(TokenFault::NotAJwt)?;
    let claims = part(claims).ok_or(TokenFault::NotAJwt)?;
    // Before anything of it is looked at: what comes from elsewhere may have other rules.
    if claims.get("iss").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err(TokenFault::OtherIssuer { expected: issuer.to_string() });
    }
    let text_of = |name: &str| header.get(name).and_then(Value::as_str);
    let name = text_of("alg").ok_or(TokenFault::NotAJwt)?;
    if name.eq_ignore_ascii_case("none") {
        return Err(TokenFault::Unsigned);
    }
    let Some(algorithm) = expected.algorithms.iter().find(|algorithm| algorithm.name() == name) else {
        let taken: Vec<_> = expected.algorithms.iter().map(|algorithm| algorithm.name()).collect();
        return Err(TokenFault::Algorithm { taken: taken.join(", ") });
    };
    if header.contains_key("crit") {
        return Err(TokenFault::Critical);
    }
    expected.kind.fits(text_of("typ"), &claims)?;
    Ok(Presented { text, algorithm: algorithm.algorithm(), kid: text_of("kid").map(str::to_owned) })
}

impl TokenKind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Access { .. } => "access token",
            Self::Id { .. } => "ID token",
        }
    }

    /// Refuses what says that it is another kind of token.
    fn fits(&self, typ: Option<&str>, claims: &Map<String, Value>) -> Result<(), TokenFault> {
        let typ = typ.unwrap_or("JWT").to_ascii_lowercase();
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        // What Keycloak puts beside the standard's `typ`.
        let own = claims.get("typ").and_then(Value::as_str);
        let has = |names: &[&str]| names.iter().any(|name| claims.contains_key(*name));
        let fits = match self {
            Self::Access { .. } => {
                let untyped = typ == "jwt" && !is_of_an_id_token(own, &has);
                (typ == "at+jwt" || untyped) && own.is_none_or(|own| own == "Bearer")
            }
            Self::Id { .. } => typ == "jwt" && own.is_none_or(|own| own == "ID"),
        };
        // A security event, a logout among them (RFC 8417 §2.2).
        if fits && !has(&["events"]) { Ok(()) } else { Err(TokenFault::OtherKind { expected: self.name() }) }
    }
}

/// Whether claims are there that only an ID token has. Some put `nonce` into both, and then say which
/// is which.
fn is_of_an_id_token(own: Option<&str>, has: &dyn Fn(&[&str]) -> bool) -> bool {
    has(&["at_hash", "c_hash", "s_hash"]) || (has(&["nonce"]) && own != Some("Bearer"))
}

/// A JSON object in base64url.
fn part(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

impl Presented<'_> {
    /// The claims, if one of the keys signed them.
    pub(super) fn signed_by(&self, set: &KeySet) -> Result<Map<String, Value>, TokenFault> {
        let mut validation = Validation::new(self.algorithm);
        // Who, for whom and for when is checked here, by the injected clock and with reasons.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let mut fault = TokenFault::UnknownKey;
        for key in set.fitting(self.algorithm, self.kid.as_deref()) {
            match jsonwebtoken::decode::<Map<String, Value>>(self.text, key, &validation) {
                Ok(data) => return Ok(data.claims),
                Err(_) => fault = TokenFault::Signature,
            }
        }
        Err(fault)
    }
}

/// Checks claims whose signature is good.
pub(super) fn check(
    claims: Map<String, Value>,
    issuer: &IssuerUrl,
    expected: &Expected,
    now: Timestamp,
) -> Result<VerifiedToken, TokenFault> {
    if claims.get("iss").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err(TokenFault::OtherIssuer { expected: issuer.to_string() });
    }
    match &expected.kind {
        TokenKind::Access { audience } => {
            is_for(&claims, audience)?;
            if claims.contains_key("cnf") {
                return Err(TokenFault::Bound);
            }
        }
        TokenKind::Id { client_id, nonce } => {
            is_for(&claims, client_id)?;
            let authorized = claims.get("azp").is_none_or(|azp| azp.as_str() == Some(client_id));
            // Several audiences want an authorized party (§3.1.3.7, 4).
            let alone = !matches!(claims.get("aud"), Some(Value::Array(all)) if all.len() > 1);
            if !authorized || !(alone || claims.contains_key("azp")) {
                return Err(TokenFault::OtherAudience { expected: client_id.clone() });
            }
            let said = claims.get("nonce").and_then(Value::as_str);
            if nonce.as_deref().is_some_and(|nonce| said != Some(nonce)) {
                return Err(TokenFault::Nonce);
            }
            if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(TokenFault::Claim { claim: "sub".to_owned() });
            }
        }
    }
    let expires_at = in_time(&claims, now)?;
    Ok(VerifiedToken { claims, expires_at })
}

/// Whether `aud`, one text or several, names the audience.
pub(super) fn is_for(claims: &Map<String, Value>, audience: &str) -> Result<(), TokenFault> {
    let named = match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
        _ => return Err(TokenFault::Claim { claim: "aud".to_owned() }),
    };
    if named { Ok(()) } else { Err(TokenFault::OtherAudience { expected: audience.to_owned() }) }
}

/// Until when it is good, if it is good now: `exp` has to be there, `nbf` and `iat` may be.
fn in_time(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, TokenFault> {
    let seconds = now.as_duration().as_secs_f64();
    let expiry = number(claims, "exp")?.ok_or_else(|| TokenFault::Claim { claim: "exp".to_owned() })?;
    if expiry + LEEWAY <= seconds {
        return Err(TokenFault::Expired { at: timestamp(expiry) });
    }
    for claim in ["nbf", "iat"] {
        if let Some(from) = number(claims, claim)?
            && from - LEEWAY > seconds
        {
            return Err(TokenFault::NotYetValid { from: timestamp(from) });
        }
    }
    Ok(timestamp(expiry))
}

/// A time as tokens have it (RFC 7519 §2), in seconds.
pub(super) fn number(claims: &Map<String, Value>, claim: &str) -> Result<Option<f64>, TokenFault> {
    match claims.get(claim) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| TokenFault::Claim { claim: claim.to_owned() }),
    }
}

/// The time; the end of the calendar for what is beyond it.
pub(super) fn timestamp(seconds: f64) -> Timestamp {
    let since = SignedDuration::try_from_secs_f64(seconds).ok();
    since.and_then(|since| Timestamp::from_duration(since).ok()).unwrap_or(Timestamp::MAX)
}
