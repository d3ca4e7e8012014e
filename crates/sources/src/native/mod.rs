//! Tools that are Rust code: functions, methods, closures and whole `rmcp` servers. What the
//! `#[tool]` attributes expand to is the builder here; they add nothing that could not be written
//! by hand. Nothing here is checked twice: names and schemas are the catalog's concern.
//!
//! ```
//! use bridgehead_sources::native::{Context, Json, NativeSource, NativeTool, ToolError};
//! use serde_json::json;
//!
//! let echo = NativeTool::builder("echo")
//!     .description("Gives back what it is given.")
//!     .read()
//!     .argument::<String>("text", "What to give back.")
//!     .handler(|context: Context, _arguments| async move {
//!         let text: String = context.argument("text")?;
//!         Ok::<_, ToolError>(text)
//!     });
//! let source = NativeSource::new([echo]);
//! # let _ = source;
//! ```

mod context;
mod error;
mod outcome;
mod rmcp_server;
mod schema;
mod source;
mod tool;

pub use crate::relax;
pub use bridgehead_core::{Content, LogLevel, Outcome, RequestId, ResourceBody};
pub use context::Context;
pub use error::ToolError;
pub use outcome::{IntoOutcome, Json, audio, image};
pub use rmcp_server::{ConnectError, RmcpServer};
pub use source::{NativeSource, Toolbox};
pub use tool::{NativeTool, NativeToolBuilder, Stated, Unstated};

#[cfg(test)]
mod tests;
