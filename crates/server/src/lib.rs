//! Everything that speaks HTTP to a client: the listener, the outer layers, the gate, the MCP
//! endpoint, health and metrics.
//!
//! The way of a request: [`listen`] accepts, [`tls`] shakes hands, [`http`] runs the outer layers, [`gate`] asks who is
//! calling and whether they may, [`mcp`] turns the message into a call and hands it to
//! [`bridgehead_core::Pipeline`].

pub mod app;
pub mod gate;
pub mod http;
pub mod listen;
pub mod mcp;
pub mod ops;
pub mod redirect;
pub mod settings;
pub mod tls;

pub use app::App;
pub use listen::{Bound, bind};
pub use ops::metrics::Metrics;
pub use settings::ServerSettings;
pub use tls::Tls;
