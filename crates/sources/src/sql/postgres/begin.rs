//! How a transaction begins: what it may do, how long, and, for the policies of row level security,
//! who calls. All of it ends with the transaction, so that the next caller on the connection finds
//! nothing of it.

use std::time::Duration;

use bridgehead_core::{CallError, Caller};
use sqlx::{Connection as _, Error, PgConnection, Transaction};

use super::{
    super::settings::{SessionSetting, SqlFault},
    parameters::text,
};

/// The longest name of anything in PostgreSQL.
const LONGEST_NAME: usize = 63;

/// What is wrong with the names of settings.
pub(in crate::sql) fn check_session(session: &[SessionSetting]) -> Vec<SqlFault> {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let is_own = |name: &str| name.len() <= LONGEST_NAME && name.contains('.') && name.split('.').all(is_word);
    let wrong = session.iter().filter(|setting| !is_own(&setting.name));
    wrong
        .map(|setting| {
            SqlFault::new(
                &["session", &setting.name],
                "A setting of your own is made of words of a-z, 0-9 and _ with dots between them; one without a dot is \
                 the server's. Write it as app.subject, and read it in a policy with current_setting('app.subject').",
            )
        })
        .collect()
}

/// What settings are set to for one caller: names and values.
#[derive(Default)]
pub(super) struct Known(Vec<(String, String)>);

impl Known {
    /// What is known of this caller.
    ///
    /// # Errors
    /// Something is not.
    pub(super) fn of(caller: &Caller, session: &[SessionSetting]) -> Result<Self, CallError> {
        let each = session.iter().map(|setting| Ok((setting.name.clone(), setting.from.text_of(caller)?)));
        each.collect::<Result<_, CallError>>().map(Self)
    }
}

/// The beginning of one transaction.
pub(super) struct Begin {
    sql: String,
    known: Known,
}

impl Begin {
    /// A transaction of this mode, whose statements the server stops when this time is up.
    pub(super) fn new(mode: &str, time: Option<Duration>, known: Known) -> Self {
        let mut sql = format!("BEGIN {mode}");
        if let Some(time) = time {
            // 0 would mean no end at all.
            let millis = i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1);
            sql.push_str(&format!("; SET LOCAL statement_timeout = {millis}"));
        }
        Self { sql, known }
    }

    /// With what else is to hold in it.
    pub(super) fn further(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Begins it. Given up on the way, it is rolled back.
    pub(super) async fn on<'c>(
        &self,
        connection: &'c mut PgConnection,
    ) -> Result<Transaction<'c, sqlx::Postgres>, Error> {
        let mut transaction = connection.begin_with(text(&self.sql)).await?;
        let Known(known) = &self.known;
        if !known.is_empty() {
            let each = (0..known.len()).map(|at| format!("set_config(${}, ${}, true)", 2 * at + 1, 2 * at + 2));
            let sql = format!("SELECT {}", each.collect::<Vec<_>>().join(", "));
            let query = known
                .iter()
                .fold(sqlx::query(text(&sql)), |query, (name, value)| query.bind(name.as_str()).bind(value.as_str()));
            query.execute(&mut *transaction).await?;
        }
        Ok(transaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::CallerValue;

    #[test]
    fn no_setting_of_the_server_can_be_set() {
        for (name, is_own) in [
            ("app.subject", true),
            ("app.user_1.name", true),
            ("role", false),
            ("search_path", false),
            ("app.", false),
            (".subject", false),
            ("App.Subject", false),
            ("app.1", false),
            ("app.x; DROP TABLE t", false),
        ] {
            let setting = SessionSetting { name: name.into(), from: CallerValue::Subject };
            assert_eq!(check_session(&[setting]).is_empty(), is_own, "{name}");
        }
    }
}
