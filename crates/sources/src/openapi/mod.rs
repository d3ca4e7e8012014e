//! An HTTP API as tools: each operation of its OpenAPI description is one tool with flat arguments.
//!
//! The way is `text → `[`Document`]` → `[`bundle`]` → `[`convert`]` → `[`OpenApiSource`]. Everything up
//! to the source is pure but for reading other documents, which the caller does. What holds:
//!
//! - Every operation becomes a tool or is reported with the reason ([`Report`]); one that cannot be
//!   converted keeps no other one back.
//! - Names, arguments and order depend on the description alone: two starts give the same tools.
//! - Schemas stand alone, are bounded in size, and compile. Input schemas are one closed object;
//!   output schemas are relaxed, so that an answer that drifts from its description still fits.
//! - Defaults are the API's business: what an agent does not give is not sent.
//! - The header in which an API takes an idempotency key is no argument: Bridgehead fills it in, see
//!   `key.rs`.
//! - Nothing an agent gives leaves its place in the request (see `http/request.rs`).
//!
//! Not here yet: Swagger 2.0 and OpenAPI 3.2 (their place is [`document`](Version)), links,
//! callbacks, webhooks, bodies of `multipart/mixed`.

mod binding;
mod body;
mod bundle;
mod convert;
mod description;
mod document;
mod effect;
mod filter;
mod input;
mod key;
mod names;
mod output;
mod parameter;
mod path;
mod reference;
mod schema;
mod security;
mod serialise;
mod servers;
mod settings;
mod source;

pub use binding::Binding;
pub use bundle::{Documents, NoDocuments, bundle};
pub use convert::{Conversion, Operation, Report, Severity, convert};
pub use document::{Document, DocumentError, Version, parse_value};
pub use filter::Filter;
pub use settings::{
    ConvertSettings, DEFAULT_MAX_INPUT_BYTES, DEFAULT_MAX_OUTPUT_BYTES, OpenApiSettings, Presents, Shaping,
};
pub use source::OpenApiSource;

#[cfg(test)]
mod sample;
