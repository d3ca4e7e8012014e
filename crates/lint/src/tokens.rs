//! What a tool costs in an agent's context. An estimate, and the same for every model: tokenisers differ by
//! a fifth or so, and the decision it serves (leave this tool out, shorten that one) does not.

use serde_json::Value;

/// How many bytes of JSON make a token, roughly, in the models that are about.
const BYTES_PER_TOKEN: usize = 4;

/// About how many tokens this JSON has: its bytes by four, rounded up.
#[must_use]
pub fn estimate(wire: &Value) -> usize {
    wire.to_string().len().div_ceil(BYTES_PER_TOKEN)
}
