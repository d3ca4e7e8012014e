//! Grades tools for what an agent sees of them (D1): names, descriptions, parameters, hints, size.
//!
//! Pure: tools in, a [`Report`] out. It does not know where a tool comes from beyond its [`Origin`], which
//! decides how a finding is mended, so that the tools of any server can be judged. Each rule is a constant
//! below [`rules`] with its reason and an example, which is also its test; `docs/reference/lint.md` is
//! written from them.
//!
//! A rule speaks up only where it is sure: a finding that a good engineer would wave away costs the others
//! their readers. What depends on taste (whether a name begins with a verb, how many sentences are enough)
//! is not judged.

pub mod finding;
pub mod grade;
pub mod mend;
pub mod origin;
pub mod reference;
pub mod report;
pub mod rules;
pub mod subject;
pub mod tokens;

mod schema;
mod words;

pub use finding::{Finding, Severity};
pub use grade::Grade;
pub use mend::Mend;
pub use origin::{Origin, SourceKind};
pub use report::{Graded, Report, lint};
pub use rules::Rule;
pub use subject::{Hints, NotATool, Subject};
pub use tokens::tokens;
