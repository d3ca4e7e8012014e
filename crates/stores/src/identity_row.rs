//! Who of a provider is which user, as a table holds it: the same columns in every SQL database.

use bridgehead_auth::{
    MailAddress, Sealed,
    provider::{IdentityId, IdentityRecord},
};
use bridgehead_core::{Claims, ScopeSet};
use jiff::Timestamp;
use serde_json::Value;

/// The columns of [`IdentityRow`], as every statement names them.
macro_rules! identity_columns {
    () => {
        "issuer, subject, address, claims, scopes, tokens, checked_at, refused_at"
    };
}
pub(crate) use identity_columns;

/// In the order of [`identity_columns`]. Times are microseconds since 1970.
pub(crate) type IdentityRow = (String, String, String, String, String, Option<Vec<u8>>, i64, Option<i64>);

/// The record in a row.
///
/// # Errors
/// Which column was never written like this, in words.
pub(crate) fn identity(row: IdentityRow) -> Result<IdentityRecord, String> {
    let (issuer, subject, address, claims, scopes, tokens, checked_at, refused_at) = row;
    let time = |column, micros| Timestamp::from_microsecond(micros).map_err(|why| unreadable(column, why));
    Ok(IdentityRecord {
        id: IdentityId { issuer, subject },
        address: MailAddress::parse(&address).map_err(|why| unreadable("address", why))?,
        claims: Claims::new(serde_json::from_str(&claims).map_err(|why| unreadable("claims", why))?),
        scopes: ScopeSet::parse(&scopes).map_err(|why| unreadable("scopes", why))?,
        tokens: tokens.map(Sealed::new),
        checked_at: time("checked_at", checked_at)?,
        refused_at: refused_at.map(|micros| time("refused_at", micros)).transpose()?,
    })
}

/// Claims as a column has them.
pub(crate) fn claims_text(claims: &Claims) -> String {
    Value::Object(claims.as_map().clone()).to_string()
}

fn unreadable(column: &str, why: impl std::fmt::Display) -> String {
    format!("the column `{column}` of an identity cannot be read ({why}). Restore a backup")
}
