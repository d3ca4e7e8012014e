//! Everything that speaks HTTP to a client: the listener, the outer layers, the gate, the MCP
//! endpoint, the authorization server and its pages, health and metrics.
//!
//! The way of a request: [`listen`] accepts, [`tls`] shakes hands, [`http`] runs the outer layers, [`gate`] asks who is
//! calling and whether they may, [`mcp`] turns the message into a call and hands it to
//! [`bridgehead_core::Pipeline`].

mod account;
pub mod app;
mod browser;
mod connect;
pub mod gate;
pub mod http;
pub mod listen;
mod login;
pub mod mcp;
pub mod oauth;
pub mod ops;
pub mod pages;
pub mod redirect;
pub mod settings;
pub mod tls;

pub use app::App;
pub use connect::ConnectParts;
pub use listen::{Bound, bind};
pub use oauth::{OwnKeys, SignInParts};
pub use ops::metrics::Metrics;
pub use settings::ServerSettings;
pub use tls::Tls;
