//! The answer that a settled effect gives to every repeat, and its form in a store.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CallError, Fault, Outcome, Refusal, RequestId, UpstreamCode, UpstreamFailure};

/// How many bytes of an answer are kept. Results are cut at `max_result_bytes` before, which is
/// smaller as a rule.
pub const LARGEST_ANSWER: usize = 1024 * 1024;

/// Marks an answer that was given before, in `_meta`.
pub const REPLAYED: &str = "bridgehead/replayed";

/// The definite answer of a call.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It succeeded.
    Outcome(Outcome),
    /// The system behind refused it, for good.
    Failure(UpstreamFailure),
    /// Its source found that it could not be sent.
    Refused(Refusal),
    /// It failed by our own fault, and had no effect: the log has why, under this request id.
    Fault(String),
    /// It was stopped as its caller asked, and had no effect.
    Stopped,
    /// It ended well, and what it answered cannot be given again: it was too large, or cannot be read any
    /// more.
    NotKept,
}

/// An answer as a store keeps it: bytes that it need not understand. `Debug` shows their number
/// alone.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptAnswer(Vec<u8>);

impl KeptAnswer {
    /// Takes the bytes as a store gives them back.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeptAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptAnswer({} bytes)", self.0.len())
    }
}

/// The form in a store: JSON, with the name of what it is around it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Outcome(Outcome),
    Failure(FailureForm),
    Refused(Refusal),
    Fault(String),
    Stopped,
    NotKept,
}

#[derive(Serialize, Deserialize)]
struct FailureForm {
    code: String,
    message: String,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    details: Option<Value>,
}

impl Answer {
    /// What is told of an error that came when nobody waited any longer for the call of this request.
    #[must_use]
    pub fn of_error(error: CallError, request_id: &RequestId) -> Self {
        match error {
            CallError::Upstream(failure) => Self::Failure(*failure),
            CallError::Refused(refusal) => Self::Refused(refusal),
            CallError::Internal(_) => Self::Fault(request_id.as_str().to_owned()),
            CallError::InDoubt(_) | CallError::AnswerNotKept | CallError::Cancelled => {
                let mut failure = UpstreamFailure::new(UpstreamCode::Failed, error.to_string());
                failure.retryable = error.retryable();
                Self::Failure(failure)
            }
        }
    }

    /// The answer for a store. One that is too large is [`Answer::NotKept`].
    #[must_use]
    pub fn keep(&self) -> KeptAnswer {
        let form = match self {
            Self::Outcome(outcome) => Form::Outcome(outcome.clone()),
            Self::Failure(failure) => Form::Failure(FailureForm {
                code: failure.code.as_str().to_owned(),
                message: failure.message.clone(),
                retryable: failure.retryable,
                retry_after_ms: failure.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
                details: failure.details.clone(),
            }),
            Self::Refused(refusal) => Form::Refused(refusal.clone()),
            Self::Fault(request_id) => Form::Fault(request_id.clone()),
            Self::Stopped => Form::Stopped,
            Self::NotKept => Form::NotKept,
        };
        let bytes = serde_json::to_vec(&form).ok().filter(|bytes| bytes.len() <= LARGEST_ANSWER);
        // The name of a variant without content is JSON text.
        KeptAnswer(bytes.unwrap_or_else(|| br#""not_kept""#.to_vec()))
    }

    /// The answer in a store. What cannot be read was an answer all the same: [`Answer::NotKept`].
    #[must_use]
    pub fn read(kept: &KeptAnswer) -> Self {
        match serde_json::from_slice(&kept.0) {
            Ok(Form::Outcome(outcome)) => Self::Outcome(outcome),
            Ok(Form::Failure(form)) => match UpstreamCode::parse(&form.code) {
                Some(code) => {
                    let mut failure = UpstreamFailure::new(code, form.message);
                    failure.retryable = form.retryable;
                    failure.retry_after = form.retry_after_ms.map(Duration::from_millis);
                    failure.details = form.details;
                    Self::Failure(failure)
                }
                None => Self::NotKept,
            },
            Ok(Form::Refused(refusal)) => Self::Refused(refusal),
            Ok(Form::Fault(request_id)) => Self::Fault(request_id),
            Ok(Form::Stopped) => Self::Stopped,
            Ok(Form::NotKept) | Err(_) => Self::NotKept,
        }
    }

    /// What a repeat is answered: the same, and marked so.
    ///
    /// # Errors
    /// The failure that was the answer, or that there is none to give.
    pub fn replay(self) -> Result<Outcome, CallError> {
        match self {
            Self::Outcome(mut outcome) => {
                outcome.meta.insert(REPLAYED.into(), true.into());
                Ok(outcome)
            }
            Self::Failure(mut failure) => {
                failure.replayed = true;
                Err(failure.into())
            }
            Self::Refused(refusal) => Err(refusal.into()),
            Self::Fault(request_id) => {
                Err(Fault::new(format!("making a call that took long, see its request id {request_id}")).into())
            }
            Self::Stopped => Err(CallError::Cancelled),
            Self::NotKept => Err(CallError::AnswerNotKept),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Content, ResourceBody};

    /// D5: what is replayed is what was answered, in every form that an answer can have.
    #[test]
    fn an_answer_is_read_as_it_was_kept() {
        let meta = json!({"x/y": [1, null]}).as_object().unwrap().clone();
        let structured = json!({"b": 1, "a": 9_007_199_254_740_993_u64, "f": 0.1}).as_object().unwrap().clone();
        let outcome = Outcome {
            structured: Some(structured),
            content: vec![
                Content::Text("ä\n\u{0}".into()),
                Content::Image { data: "AA==".into(), mime_type: "image/png".into() },
                Content::Audio { data: "AA==".into(), mime_type: "audio/wav".into() },
                Content::Resource { uri: "a:b".into(), mime_type: None, body: ResourceBody::Blob("AA==".into()) },
                Content::Resource { uri: "a:b".into(), mime_type: None, body: ResourceBody::Text("t".into()) },
                Content::ResourceLink { uri: "a:b".into(), name: "n".into(), description: None, mime_type: None },
            ],
            meta,
            ..Outcome::default()
        };
        for outcome in [outcome, Outcome::default()] {
            let mut replayed = Answer::read(&Answer::Outcome(outcome.clone()).keep()).replay().unwrap();
            assert_eq!(replayed.meta.shift_remove(REPLAYED), Some(true.into()));
            assert_eq!(replayed, outcome);
        }
    }

    #[test]
    fn a_refusal_is_read_as_it_was_kept() {
        for code in UpstreamCode::ALL {
            let said = UpstreamFailure::new(code, "No.").with_details(json!({"k": 1}));
            let error = Answer::read(&Answer::Failure(said.clone()).keep()).replay().unwrap_err();
            assert_eq!(error.to_object("r"), CallError::from(said).to_object("r"));
        }
    }

    #[test]
    fn an_end_without_an_answer_is_read_as_it_was_kept() {
        for (answer, code) in [(Answer::Fault("r".into()), "internal"), (Answer::Stopped, "cancelled")] {
            assert_eq!(Answer::read(&answer.keep()).replay().unwrap_err().code(), code);
        }
    }

    #[test]
    fn what_cannot_be_kept_or_read_was_an_answer_all_the_same() {
        let large = Answer::Outcome(Outcome::text("x".repeat(LARGEST_ANSWER))).keep();
        for kept in [large, KeptAnswer::new(b"nonsense".to_vec()), Answer::NotKept.keep()] {
            assert_eq!(Answer::read(&kept).replay().unwrap_err().code(), "answer_not_kept");
        }
    }
}
