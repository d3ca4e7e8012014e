//! Brings a database up to date, in numbered steps that are never changed once released: each is
//! remembered with its checksum. Locks and errors are the store's own.

use sqlx::{
    SqlSafeStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType},
};

/// Number, name and SQL of a step.
pub(crate) type Step = (i64, &'static str, &'static str);

/// Does what is still to be done. What `sqlx::migrate::Migrator` does, whose future cannot be moved
/// between threads. Whoever calls this holds a lock.
///
/// # Errors
/// [`MigrateError::VersionMissing`] where a step was done that this version does not know,
/// [`MigrateError::VersionMismatch`] where it was another one, else what the database says.
pub(crate) async fn apply(
    connection: &mut impl Migrate,
    table: &'static str,
    steps: &[Step],
) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(table).await?;
    let applied = connection.list_applied_migrations(table).await?;
    let steps: Vec<_> = steps
        .iter()
        .map(|(version, name, sql)| {
            Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    if let Some(unknown) = applied.iter().rev().find(|done| steps.iter().all(|step| step.version != done.version)) {
        return Err(MigrateError::VersionMissing(unknown.version));
    }
    for step in &steps {
        match applied.iter().find(|done| done.version == step.version) {
            Some(done) if done.checksum == step.checksum => {}
            Some(_) => return Err(MigrateError::VersionMismatch(step.version)),
            None => {
                connection.apply(table, step).await?;
            }
        }
    }
    Ok(())
}
