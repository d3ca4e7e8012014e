//! One effect for each idempotency key: what is remembered of a call with effects, so that a repeat
//! of it does nothing again and gets the same answer, from any replica, after a crash as well.
//!
//! ```text
//!                 ┌── nothing was sent ──────────────► released, or void where there is a handle: the key is fresh again
//! claim ─► running┼── a definite answer ─────────────► settled: replayed to every repeat
//!                 └── no answer, or the lease ran out ► in doubt ─┬─ the source knows, or the owner
//!                                                                │  answers late ► settled
//!                                                                └─ it was not done, or the system
//!                                                                   behind takes the key ► running
//! ```
//!
//! What can become of a record is written down once, in [`record`]; a store does the same in one
//! statement for each verb ([`EffectStore`]). When which verb is called is the pipeline's matter
//! (`pipeline/claim.rs`), and why it is so stands in `docs/adr/0014-effects-exactly-once.md`.

pub mod answer;
pub mod handle;
pub mod key;
pub(crate) mod parameter;
pub mod record;
pub mod store;
pub mod table;
pub mod task;
pub mod verdict;

pub use answer::{Answer, KeptAnswer};
pub use key::{EffectOrigin, IdempotencyKey, IdempotencyKeyError, arguments_digest};
pub use record::{ClaimToken, EffectRecord, EffectState, Lease, Standing};
pub use store::{Change, ClaimOutcome, EffectStore, EffectStoreError};
pub use table::EffectTable;
pub use task::{Task, TaskState, TaskVerb};
pub use verdict::Verdict;
