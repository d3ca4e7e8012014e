//! The value that a statement gets for each of its parameters: an argument on its way in, or what is
//! known of who calls. How the value is bound is the driver's.

use bridgehead_core::{ArgumentFault, Call, CallError, Refusal};

use super::{datum::Datum, driver::Driver, tool::Tool};
pub(super) use crate::parameter::{Bound, Format, Kind, bound, whole};

/// What the statement gets for each of its numbered parameters, in order.
///
/// # Errors
/// [`Refusal::InvalidArguments`] for what the input schema cannot say, [`Refusal::LacksClaim`] for
/// what is not known of the caller.
pub(super) fn values<D: Driver>(tool: &Tool<D>, call: &Call) -> Result<Vec<Datum>, CallError> {
    let mut faults = Vec::new();
    let mut values = Vec::new();
    for (name, slot) in &tool.order {
        if let Some(parameter) = tool.of_caller.iter().find(|parameter| &parameter.bound.name == name) {
            let value = parameter.value(&call.caller)?;
            // The database may want more of it than the schema says; the value is not repeated.
            let datum = D::argument(slot, &parameter.bound, &value);
            values.push(datum.map_err(|_| parameter.from.refuse("what the database does not take there"))?);
            continue;
        }
        let Some(parameter) = tool.parameters.iter().find(|parameter| &parameter.name == name) else {
            values.push(Datum::Null);
            continue;
        };
        let value = parameter.value(call.arguments.get(name));
        values.push(value.and_then(|value| D::argument(slot, parameter, value)).unwrap_or_else(|message| {
            faults.push(ArgumentFault { path: format!("/{name}"), message });
            Datum::Null
        }));
    }
    if faults.is_empty() { Ok(values) } else { Err(Refusal::InvalidArguments(faults).into()) }
}
