//! What operators see: health and metrics.

pub mod health;
pub mod metrics;
