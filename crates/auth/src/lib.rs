//! Who is calling: the modes ([`mode`]), the keys that are issued here ([`keys`]), and what is
//! known of callers whose credential is handed through ([`probe`], [`blocks`]); the people who sign in
//! here ([`users`]), with a trace of how clients connect ([`trace`]); and what each of them entered or
//! connected for the systems behind ([`credentials`]).
//!
//! Nothing here listens, fetches or speaks SQL. A mode reads the headers of a request and names
//! a [`Caller`](bridgehead_core::Caller) or says why not; what has to be remembered goes through
//! storage traits ([`KeyStore`], [`SubjectStore`], [`CertificateStore`]) that `bridgehead-stores` implements, and the
//! system behind is asked through a [`Probe`]. The one file that is read here is the one with the
//! root keys ([`secrets`]).

pub mod blocks;
pub mod certificates;
pub mod credentials;
pub mod denied;
pub mod error;
mod fetched;
pub mod issuer;
mod jwt;
pub mod keys;
mod last_use;
pub mod mode;
pub mod probe;
pub mod provider;
mod recent;
pub mod remote;
pub mod resource_server;
pub mod secrets;
pub mod text;
pub mod trace;
pub mod users;

#[cfg(test)]
mod testing;

pub use blocks::{BlockError, Denial, DeniedSubject, Readmission, SubjectBlocks, SubjectStore};
pub use certificates::{
    Attempt, CertificateId, CertificateRecord, CertificateStore, ChallengeKind, ChallengeRecord, LeaseOutcome,
};
pub use credentials::{CredentialStore, UpstreamCredentials};
pub use denied::{Denied, Malformation, RejectionKind};
pub use error::StoreError;
pub use issuer::{Issuer, IssuerParts, IssuerSettings, IssuerStore};
pub use jwt::SigningAlgorithm;
pub use keys::{
    CreateError, Insertion, IssuedKeys, KeyHeader, KeyHeaderError, KeyId, KeyIdError, KeyRecord, KeyStore, KeyText,
    KeyTextError, NewKey, Revocation,
};
pub use mode::{
    HandedThrough, Mode, Modes, Rejection,
    api_key::ApiKeyMode,
    foreign::ForeignMode,
    headers::{CallerHeaders, CallerHeadersError, HeadersMode},
    oauth::OAuthMode,
    open::OpenMode,
};
pub use probe::{Probe, ProbeAnswer, ProbeFailure, Remembered, RememberedFor};
pub use remote::{RemoteError, RemoteIssuer};
pub use resource_server::{Judge, ResourceServer, ResourceSettings};
pub use secrets::{
    Fingerprint, Fingerprints, IssuerKeys, KeyHash, KeyVersion, LoadedKeys, Peppers, PurposeKeys, RootKeys, Sealed,
    SecretsError, SecretsWarning, Unopenable, Vault,
};
pub use text::{SecretKind, SecretText, SecretTextError};
pub use trace::{Trace, TraceEvent, TraceStore};
pub use users::{
    CsrfBinding, CsrfTokens, MailAddress, Session, SessionStore, Sessions, SignedIn, User, UserStore, Users,
};
