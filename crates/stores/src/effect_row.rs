//! An effect as a table holds it: the same columns in every SQL database.

use std::fmt::Display;

use bridgehead_core::{
    EffectId, EndpointId,
    effects::{Change, ClaimToken, EffectOrigin, EffectRecord, EffectState, KeptAnswer},
};
use jiff::Timestamp;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

/// The columns, as every statement names them and [`bind_effect`] binds them.
macro_rules! effect_columns {
    () => {
        "id, endpoint, subject, tool, digest, token, state, lease_until, answer, told, first_sent_at, \
         upstream_header, keep_until"
    };
}
pub(crate) use effect_columns;

/// The words of the column `state`.
const RUNNING: &str = "running";
const IN_DOUBT: &str = "in_doubt";
const SETTLED: &str = "settled";
const VOID: &str = "void";

/// Binds a record to a statement, in the order of the columns.
macro_rules! bind_effect {
    ($query:expr, $record:expr) => {{
        let record: &bridgehead_core::effects::EffectRecord = $record;
        let (state, lease_until, answer, told) = $crate::effect_row::state_columns(&record.state);
        $query
            .bind(record.id.as_str())
            .bind(record.origin.endpoint.as_str())
            .bind(&*record.origin.subject)
            .bind(&*record.origin.tool)
            .bind(&record.digest[..])
            .bind(record.token.as_str())
            .bind(state)
            .bind(lease_until)
            .bind(answer)
            .bind(told)
            .bind($crate::key_row::micros(record.first_sent_at))
            .bind(record.upstream_header.as_deref())
            .bind($crate::key_row::micros(record.keep_until))
    }};
}
pub(crate) use bind_effect;

/// A state in its columns: word, end of the lease, answer, and what is told of a call that came to nothing.
type StateColumns<'s> = (&'static str, Option<i64>, Option<&'s [u8]>, Option<&'s [u8]>);

pub(crate) fn state_columns(state: &EffectState) -> StateColumns<'_> {
    match state {
        EffectState::Running { lease_until } => (RUNNING, Some(crate::key_row::micros(*lease_until)), None, None),
        EffectState::InDoubt => (IN_DOUBT, None, None, None),
        EffectState::Settled { answer } => (SETTLED, None, Some(answer.as_bytes()), None),
        EffectState::Void { answer } => (VOID, None, None, Some(answer.as_bytes())),
    }
}

/// One row. Times are microseconds since 1970.
pub(crate) struct EffectRow {
    id: String,
    endpoint: String,
    subject: String,
    tool: String,
    digest: Vec<u8>,
    token: String,
    state: String,
    lease_until: Option<i64>,
    answer: Option<Vec<u8>>,
    told: Option<Vec<u8>>,
    first_sent_at: i64,
    upstream_header: Option<String>,
    keep_until: i64,
}

impl<'r, R: Row> FromRow<'r, R> for EffectRow
where
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            endpoint: row.try_get("endpoint")?,
            subject: row.try_get("subject")?,
            tool: row.try_get("tool")?,
            digest: row.try_get("digest")?,
            token: row.try_get("token")?,
            state: row.try_get("state")?,
            lease_until: row.try_get("lease_until")?,
            answer: row.try_get("answer")?,
            told: row.try_get("told")?,
            first_sent_at: row.try_get("first_sent_at")?,
            upstream_header: row.try_get("upstream_header")?,
            keep_until: row.try_get("keep_until")?,
        })
    }
}

impl EffectRow {
    /// The record.
    ///
    /// # Errors
    /// Which column was never written like this, in words.
    pub(crate) fn into_record(self) -> Result<EffectRecord, String> {
        let time = |column, micros: i64| Timestamp::from_microsecond(micros).map_err(|why| unreadable(column, why));
        let state = match (self.state.as_str(), self.lease_until, self.answer, self.told) {
            (RUNNING, Some(until), None, None) => EffectState::Running { lease_until: time("lease_until", until)? },
            (IN_DOUBT, None, None, None) => EffectState::InDoubt,
            (SETTLED, None, Some(answer), None) => EffectState::Settled { answer: KeptAnswer::new(answer) },
            (VOID, None, None, Some(told)) => EffectState::Void { answer: KeptAnswer::new(told) },
            _ => return Err(unreadable("state", "this version has no such state")),
        };
        Ok(EffectRecord {
            id: EffectId::parse(&self.id).ok_or_else(|| unreadable("id", "it is not 64 hexadecimal digits"))?,
            origin: EffectOrigin {
                endpoint: EndpointId::parse(&self.endpoint)
                    .ok_or_else(|| unreadable("endpoint", "this version has no such endpoint"))?,
                subject: self.subject.into(),
                tool: self.tool.into(),
            },
            digest: self.digest.try_into().map_err(|_bytes| unreadable("digest", "it has not 32 bytes"))?,
            token: ClaimToken::new(self.token),
            state,
            first_sent_at: time("first_sent_at", self.first_sent_at)?,
            upstream_header: self.upstream_header.map(Into::into),
            keep_until: time("keep_until", self.keep_until)?,
        })
    }
}

/// Whether a conditional statement found its record as it had to be.
pub(crate) fn change(rows: u64) -> Change {
    if rows > 0 { Change::Made } else { Change::TooLate }
}

/// A record came and went for as long as it was tried to claim it.
#[derive(Debug, thiserror::Error)]
#[error("the effect was claimed and released by others all the time")]
pub(crate) struct Contended;

fn unreadable(column: &str, why: impl Display) -> String {
    format!("the column `{column}` of an effect cannot be read ({why}). Restore a backup")
}
