//! The schema of the PostgreSQL store. A database with steps that this version does not know was
//! brought up to date by a newer one and is refused.

use bridgehead_auth::StoreError;
use sqlx::{Connection, PgConnection, migrate::MigrateError};

use super::error::{corrupt, refused, sql_state, store_error, unsuitable};
use crate::migrate::{self, Step};

/// Every step, in order. Add to the end.
const STEPS: &[Step] = &[
    (1, "api key", include_str!("migrations/0001_api_key.sql")),
    (2, "denied subject", include_str!("migrations/0002_denied_subject.sql")),
    (3, "acme", include_str!("migrations/0003_acme.sql")),
    (4, "people", include_str!("migrations/0004_people.sql")),
    (5, "issuer", include_str!("migrations/0005_issuer.sql")),
    (6, "identity", include_str!("migrations/0006_identity.sql")),
    (7, "credential", include_str!("migrations/0007_credential.sql")),
    (8, "effect", include_str!("migrations/0008_effect.sql")),
    (9, "void effect", include_str!("migrations/0009_void_effect.sql")),
];

/// Where the steps that were done are remembered.
const TABLE: &str = "bridgehead_migration";

/// Brings the database up to date in one transaction. Of several processes at once one does the
/// work, and the others wait and find it done. The number of the lock is `BRDG`.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), StoreError> {
    const LOCK: &str = "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(1112687687)";
    let mut transaction = connection.begin().await.map_err(store_error)?;
    sqlx::raw_sql(LOCK).execute(&mut *transaction).await.map_err(store_error)?;
    migrate::apply(&mut *transaction, TABLE, STEPS).await.map_err(migration_error)?;
    transaction.commit().await.map_err(store_error)
}

fn migration_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => unsuitable(format!(
            "it was brought up to date by a newer version of Bridgehead: step {version} of its schema is not known \
             here. Start that version, or name another database in [store] url"
        )),
        MigrateError::VersionMismatch(version) => corrupt(
            format!("step {version} of its schema is not the one that this version has. Restore a backup"),
            Some(MigrateError::VersionMismatch(version)),
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => match sql_state(&error).as_deref() {
            // Something is there already that our step wants to make.
            Some("42P07") => unsuitable(
                "another program has a table in it whose name begins with bridgehead_. Name another database in \
                 [store] url, or another schema: ?options=-c%20search_path%3DNAME",
            ),
            _ => store_error(error),
        },
        other => refused("its schema cannot be brought up to date", other),
    }
}
