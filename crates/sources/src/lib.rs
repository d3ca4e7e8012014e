//! sources

pub mod native;
pub mod sql;
