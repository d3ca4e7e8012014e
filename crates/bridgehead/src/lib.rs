//! Bridgehead as a library: tools in Rust, served as a remote MCP server.
//!
//! Start at [`Server`]. What the `bridgehead` command does with a file, [`compose`] does for both:
//! settings in, a running app out.

#[cfg(feature = "cli")]
pub mod cli;
pub mod compose;
pub mod config;

mod card;
#[cfg(any(feature = "cli", test))]
mod errors;
#[cfg(test)]
mod golden;
#[cfg(feature = "cli")]
mod graded;
mod library;

pub use bridgehead_core as core;
pub use bridgehead_macros::{tool, tools};
pub use bridgehead_sources::native;
pub use bridgehead_sources::native::{
    Content, Context, IntoOutcome, Json, LogLevel, NativeTool, Outcome, ResourceBody, ToolError, Toolbox,
};
pub use library::{Error, Running, Server};
pub use schemars;
