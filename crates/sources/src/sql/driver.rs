//! What a kind of database does in its own way. All else (statements, parameters, pages, the shape
//! of results) is the same for each.

use async_trait::async_trait;
use bridgehead_core::{Call, CallError, ClaimedEffect, Outcome, Resolution};
use serde_json::Value;

use super::{
    arguments::Bound,
    check::Plan,
    datum::Datum,
    rows::Rows,
    settings::SqlFault,
    tool::{Answer, Tool},
};

/// A change as it is to be made.
pub(super) struct Change<'a, Command> {
    /// The statement.
    pub(super) command: &'a Command,
    /// What it gets for its parameters.
    pub(super) values: &'a [Datum],
    /// What it answers with.
    pub(super) answer: Answer,
    /// The effect that is written down with it; `None` without a key, and without `effects_table`.
    pub(super) effect: Option<&'a ClaimedEffect>,
    /// The call that asks for it.
    pub(super) call: &'a Call,
}

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

    /// Runs one statement in a transaction of its own. It ends before the call's deadline, so that a
    /// caller who is told of a time-out is also told that nothing was changed.
    ///
    /// With an effect, the same transaction writes down what is answered; where that was done before,
    /// the answer is that one and nothing is changed.
    async fn write(&self, change: &Change<'_, Self::Command>, rows: &mut Rows<'_>) -> Result<Outcome, CallError>;

    /// Makes the table of effects where it is not there, and sees that it can be used.
    ///
    /// # Errors
    /// What is in the way, and how to mend that.
    async fn prepare_effects(&self) -> Result<(), String>;

    /// What became of an effect. [`Resolution::NotDone`] only where no transaction that began before this
    /// can still write it down.
    async fn resolve(&self, effect: &ClaimedEffect) -> Resolution;

    /// Clears away rows of effects that are not kept any longer: some of them, and as far as it goes.
    async fn sweep_effects(&self);

    /// Whether the database is there and answers, told in a moment. With every connection at work
    /// it does.
    async fn answers(&self) -> Result<(), String>;

    /// Gives back every connection, when the calls on them have ended.
    async fn close(&self);
}
