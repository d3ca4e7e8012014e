//! What operators and passers-by see: health, metrics, the front page.

pub mod front;
pub mod health;
pub mod metrics;
