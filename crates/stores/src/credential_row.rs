//! Credentials of teammates as tables hold them: the same columns in every SQL database.

use std::{fmt::Display, sync::Arc};

use bridgehead_auth::{
    Sealed,
    credentials::{CredentialKind, CredentialRecord, CredentialVersion, PendingConnection},
};
use jiff::Timestamp;

/// The columns, as every statement names them.
macro_rules! credential_columns {
    () => {
        "vault, subject, kind, sealed, version, entered_at, renewed_at, expires_at, refused_at"
    };
}
pub(crate) use credential_columns;

/// Binds a credential, in the order of its columns.
macro_rules! bind_credential {
    ($query:expr, $record:expr) => {{
        let record = $record;
        $query
            .bind(&*record.vault)
            .bind(&*record.subject)
            .bind(record.kind.as_str())
            .bind(record.sealed.as_bytes())
            .bind(record.version.as_str())
            .bind(micros(record.entered_at))
            .bind(micros(record.renewed_at))
            .bind(record.expires_at.map(micros))
            .bind(record.refused_at.map(micros))
    }};
}
pub(crate) use bind_credential;

/// Vault, subject, kind, what is sealed, version, and four times in microseconds since 1970: entered,
/// renewed, the end, refused.
pub(crate) type CredentialRow = (String, String, String, Vec<u8>, String, i64, i64, Option<i64>, Option<i64>);

/// State, session, vault, subject, the sealed verifier, where to go on to, and the end.
pub(crate) type PendingRow = (Vec<u8>, String, String, String, Vec<u8>, Option<String>, i64);

/// The credential in a row.
///
/// # Errors
/// Which column was never written like this, in words.
pub(crate) fn credential(row: CredentialRow) -> Result<CredentialRecord, String> {
    let (vault, subject, kind, sealed, version, entered_at, renewed_at, expires_at, refused_at) = row;
    Ok(CredentialRecord {
        vault: vault.into(),
        subject: subject.into(),
        kind: CredentialKind::parse(&kind).ok_or_else(|| unreadable("kind", "it is no kind"))?,
        sealed: Sealed::new(sealed),
        version: CredentialVersion::new(&version),
        entered_at: time("entered_at", entered_at)?,
        renewed_at: time("renewed_at", renewed_at)?,
        expires_at: expires_at.map(|micros| time("expires_at", micros)).transpose()?,
        refused_at: refused_at.map(|micros| time("refused_at", micros)).transpose()?,
    })
}

/// The connection in a row.
///
/// # Errors
/// As [`credential`].
pub(crate) fn pending(row: PendingRow) -> Result<PendingConnection, String> {
    let (state, session, vault, subject, verifier, next, expires_at) = row;
    Ok(PendingConnection {
        state: state.try_into().map_err(|_| unreadable("state", "it does not have 32 bytes"))?,
        session: Arc::from(session),
        vault: Arc::from(vault),
        subject: Arc::from(subject),
        verifier: Sealed::new(verifier),
        next,
        expires_at: time("expires_at", expires_at)?,
    })
}

fn time(column: &str, micros: i64) -> Result<Timestamp, String> {
    Timestamp::from_microsecond(micros).map_err(|why| unreadable(column, why))
}

fn unreadable(column: &str, why: impl Display) -> String {
    format!("the column `{column}` of a credential cannot be read ({why}). Restore a backup")
}
