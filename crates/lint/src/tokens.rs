//! What a tool costs in an agent's context. An estimate, and the same for every model: tokenisers differ by
//! a fifth or so, and the decision it serves (leave this tool out, shorten that one) does not.

use serde_json::json;

use crate::Subject;

/// How many bytes of JSON make a token, roughly, in the models that are about.
const BYTES_PER_TOKEN: usize = 4;

/// About how many tokens a tool costs: the bytes by four of what clients hand on to a model, which is name,
/// description and input schema. Output schemas and hints stay with the client.
#[must_use]
pub fn tokens(tool: &Subject) -> usize {
    let shown = json!({"name": tool.name, "description": tool.description, "input_schema": *tool.input_schema});
    shown.to_string().len().div_ceil(BYTES_PER_TOKEN)
}
