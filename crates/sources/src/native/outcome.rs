//! What a tool's code may give back.

use base64::{Engine, engine::general_purpose::STANDARD};
use bridgehead_core::{CallError, Content, Fault, Outcome};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ToolError, schema};

/// What a tool can give back: text, content blocks, [`Json`], nothing, or a `Result` of these.
#[diagnostic::on_unimplemented(
    message = "a tool cannot give back `{Self}`",
    note = "a tool gives back Json<T>, String, &str, (), Content, Vec<Content>, Outcome, or a Result of one of these with an error that is Into<ToolError>"
)]
pub trait IntoOutcome {
    /// The result of the call.
    ///
    /// # Errors
    /// What the tool reported, or that its result cannot be written as JSON.
    fn into_outcome(self) -> Result<Outcome, CallError>;

    /// The JSON Schema of the structured result, where there is one.
    #[must_use]
    fn output_schema() -> Option<Map<String, Value>> {
        None
    }
}

/// A structured result: the tool gets an output schema made of `T`, which must be an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize + JsonSchema> IntoOutcome for Json<T> {
    fn into_outcome(self) -> Result<Outcome, CallError> {
        match serde_json::to_value(&self.0) {
            Ok(Value::Object(object)) => Ok(Outcome::structured(object)),
            Ok(_) => Err(Fault::new("writing the result of a tool, which must be an object").into()),
            Err(error) => Err(Fault::new("writing the result of a tool").with_cause(error).into()),
        }
    }

    fn output_schema() -> Option<Map<String, Value>> {
        Some(schema::output::<T>())
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Result<Outcome, CallError> {
        Ok(self)
    }
}

impl IntoOutcome for String {
    fn into_outcome(self) -> Result<Outcome, CallError> {
        Ok(Outcome::text(self))
    }
}

impl IntoOutcome for &str {
    fn into_outcome(self) -> Result<Outcome, CallError> {
        Ok(Outcome::text(self))
    }
}

/// An agent that sees nothing at all may think that the call was lost.
impl IntoOutcome for () {
    fn into_outcome(self) -> Result<Outcome, CallError> {
        Ok(Outcome::text("Done."))
    }
}

impl IntoOutcome for Content {
    fn into_outcome(self) -> Result<Outcome, CallError> {
        vec![self].into_outcome()
    }
}

impl IntoOutcome for Vec<Content> {
    fn into_outcome(self) -> Result<Outcome, CallError> {
        Ok(Outcome { content: self, ..Outcome::default() })
    }
}

impl<T: IntoOutcome, E: Into<ToolError>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Result<Outcome, CallError> {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => Err(error.into().into()),
        }
    }

    fn output_schema() -> Option<Map<String, Value>> {
        T::output_schema()
    }
}

/// A picture of these bytes; `mime_type` is for example `image/png`.
#[must_use]
pub fn image(bytes: impl AsRef<[u8]>, mime_type: impl Into<String>) -> Content {
    Content::Image { data: STANDARD.encode(bytes), mime_type: mime_type.into() }
}

/// Sound of these bytes; `mime_type` is for example `audio/wav`.
#[must_use]
pub fn audio(bytes: impl AsRef<[u8]>, mime_type: impl Into<String>) -> Content {
    Content::Audio { data: STANDARD.encode(bytes), mime_type: mime_type.into() }
}
