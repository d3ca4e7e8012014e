//! Arguments on their way in: the value that a statement gets for each of its parameters. How the
//! value is bound is the driver's.

use bridgehead_core::{ArgumentFault, CallError, Refusal};
use serde_json::{Map, Value};

use super::{datum::Datum, driver::Driver, tool::Tool};
pub(super) use crate::parameter::{Bound, Format, Kind, bound, whole};

/// What the statement gets for each of its numbered parameters, in order.
///
/// # Errors
/// [`Refusal::InvalidArguments`] for what the input schema cannot say.
pub(super) fn values<D: Driver>(tool: &Tool<D>, arguments: &Map<String, Value>) -> Result<Vec<Datum>, CallError> {
    let mut faults = Vec::new();
    let values = tool
        .order
        .iter()
        .map(|(name, slot)| {
            let Some(parameter) = tool.parameters.iter().find(|parameter| &parameter.name == name) else {
                return Datum::Null;
            };
            let value = parameter.value(arguments.get(name));
            value.and_then(|value| D::argument(slot, parameter, value)).unwrap_or_else(|message| {
                faults.push(ArgumentFault { path: format!("/{name}"), message });
                Datum::Null
            })
        })
        .collect();
    if faults.is_empty() { Ok(values) } else { Err(Refusal::InvalidArguments(faults).into()) }
}
