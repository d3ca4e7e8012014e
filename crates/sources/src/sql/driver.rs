//! What a kind of database does in its own way. All else (statements, parameters, pages, the shape
//! of results) is the same for each.

use async_trait::async_trait;
use bridgehead_core::{Call, CallError};
use serde_json::Value;

use super::{arguments::Bound, check::Plan, datum::Datum, rows::Rows, settings::SqlFault, tool::Tool};

/// One opened database.
#[async_trait]
pub(super) trait Driver: Send + Sync + Sized + 'static {
    /// A statement, ready to be run any number of times.
    type Command: Send + Sync;
    /// What the database takes for a parameter.
    type Slot: Send + Sync;

    /// Prepares the statements of all tools; what is wrong with one of them is among the faults.
    ///
    /// # Errors
    /// The database cannot be asked at all, and how to mend that.
    async fn prepare(&self, plans: Vec<Plan>) -> Result<(Vec<Tool<Self>>, Vec<SqlFault>), String>;

    /// What a statement gets for the value of a parameter, which may be the default.
    ///
    /// # Errors
    /// What is wrong with the value, beyond what the input schema says.
    fn argument(slot: &Self::Slot, parameter: &Bound, value: &Value) -> Result<Datum, String>;

    /// Runs a read until it ends or the result is full. Nothing is changed, whatever the statement
    /// calls. Dropping the future stops the statement.
    async fn read(
        &self,
        command: &Self::Command,
        values: &[Datum],
        rows: &mut Rows<'_>,
        call: &Call,
    ) -> Result<(), CallError>;

    /// Runs one statement in a transaction of its own and answers with the number of rows that
    /// were changed. It ends before the call's deadline, so that a caller who is told of a time-out
    /// is also told that nothing was changed.
    async fn write(
        &self,
        command: &Self::Command,
        values: &[Datum],
        rows: &mut Rows<'_>,
        call: &Call,
    ) -> Result<u64, CallError>;

    /// Whether the database is there and answers, told in a moment. With every connection at work
    /// it does.
    async fn answers(&self) -> Result<(), String>;

    /// Gives back every connection, when the calls on them have ended.
    async fn close(&self);
}
