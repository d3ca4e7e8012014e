//! sources

pub mod fault;
pub mod http;
pub mod native;
pub mod openapi;
pub mod parameter;
pub mod relax;
pub mod sql;
