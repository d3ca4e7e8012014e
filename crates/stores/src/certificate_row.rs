//! What is kept of certificates as a table holds it: the same columns in every SQL database.

use bridgehead_auth::{Attempt, CertificateId, CertificateRecord, Sealed};
use jiff::Timestamp;

/// Chain, sealed key, and three times in microseconds since 1970: valid from, until, obtained.
pub(crate) type CertificateRow = (String, Vec<u8>, i64, i64, i64);

/// How many attempts failed, and two times: the last failure, and before when nobody tries again.
pub(crate) type AttemptRow = (i64, i64, i64);

/// The certificate in a row.
///
/// # Errors
/// Which column was never written like this, in words.
pub(crate) fn certificate(id: &CertificateId, row: CertificateRow) -> Result<CertificateRecord, String> {
    let (chain, key, not_before, not_after, obtained_at) = row;
    Ok(CertificateRecord {
        id: id.clone(),
        chain,
        key: Sealed::new(key),
        not_before: time("not_before", not_before)?,
        not_after: time("not_after", not_after)?,
        obtained_at: time("obtained_at", obtained_at)?,
    })
}

/// The attempt in a row.
///
/// # Errors
/// As [`certificate`].
pub(crate) fn attempt((failures, failed_at, retry_at): AttemptRow) -> Result<Attempt, String> {
    Ok(Attempt {
        failures: u32::try_from(failures).map_err(|why| unreadable("failures", why))?,
        failed_at: time("failed_at", failed_at)?,
        retry_at: time("retry_at", retry_at)?,
    })
}

fn time(column: &str, micros: i64) -> Result<Timestamp, String> {
    Timestamp::from_microsecond(micros).map_err(|why| unreadable(column, why))
}

fn unreadable(column: &str, why: impl std::fmt::Display) -> String {
    format!("the column `{column}` of a certificate cannot be read ({why}). Restore a backup")
}
