//! Plain HTTP: tools of one request each from the configuration, and the request and answer code
//! that `sources/openapi` shares.
//!
//! What holds:
//!
//! - What a caller gives never leaves the place where it stands: one segment of the path, one value
//!   of the query, one header, one value of the body. It never chooses the host.
//! - What is presented to the system behind is what `credential` says, and nothing else: no header
//!   of the client's own request, no key that Bridgehead issued.
//! - Every success (2xx) has structured content that fits the output schema, see `answer.rs`; every
//!   other answer, and none, is an error with a code, see `failure.rs`.
//! - How long an answer is good is read from it, and one that is remembered is asked about, see
//!   `freshness.rs`.
//! - What was presented is taken out of errors, should the system behind repeat it.

mod answer;
mod check;
mod credential;
mod encode;
mod exchange;
mod failure;
mod freshness;
mod json;
mod multipart;
mod plan;
mod problem;
mod request;
mod retry_after;
mod settings;
mod source;
mod template;
#[cfg(test)]
mod testing;
mod text;

pub(crate) use answer::{AnswerShape, Described, describe};
pub use check::check;
pub use credential::{Credential, Place, Presentation, VaultCredential, VaultPlaces, VaultPresentation};
pub(crate) use encode::{encode, encode_reserved};
pub(crate) use exchange::Exchange;
pub use failure::reference;
pub(crate) use multipart::Part;
pub(crate) use request::{Body, IllegalValue, RequestBuilder, Segment};
pub use settings::{BodySettings, HttpSettings, HttpToolSettings, RequestSettings};
pub use source::HttpSource;
