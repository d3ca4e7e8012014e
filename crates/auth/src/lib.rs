//! Who is calling: the modes ([`mode`]), and the keys that are issued here ([`keys`]).
//!
//! Nothing here listens, fetches or speaks SQL. A mode reads the headers of a request and names
//! a [`Caller`](bridgehead_core::Caller) or says why not; what has to be remembered goes through
//! a storage trait ([`KeyStore`]) that `bridgehead-stores` implements. The one file that is read
//! here is the one with the root keys ([`secrets`]).

pub mod denied;
pub mod error;
pub mod keys;
pub mod mode;
pub mod secrets;

#[cfg(test)]
mod testing;

pub use denied::{Denied, Malformation, RejectionKind};
pub use error::StoreError;
pub use keys::{
    CreateError, Insertion, IssuedKeys, KeyHeader, KeyHeaderError, KeyId, KeyIdError, KeyRecord, KeyStore, KeyText,
    KeyTextError, NewKey, Revocation,
};
pub use mode::{Mode, Modes, Rejection, api_key::ApiKeyMode, open::OpenMode};
pub use secrets::{KeyHash, KeyVersion, LoadedKeys, Peppers, RootKeys, SecretsError, SecretsWarning};
