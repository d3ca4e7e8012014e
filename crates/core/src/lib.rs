//! What a tool, a call and a caller are, and the pipeline that every call passes.
//!
//! Nothing here opens a socket, reads a file or knows a database: sources bring the tools
//! ([`Source`]), the server brings the calls, and time and chance are injected ([`Clock`],
//! [`Randomness`]). The way of one call is written down in [`pipeline`].

pub mod audit;
pub mod cache;
pub mod call;
pub mod caller;
pub mod catalog;
pub mod clock;
pub mod counters;
pub mod credentials;
pub mod effect;
pub mod effects;
pub mod endpoint;
pub mod error;
pub mod fetch;
pub mod outcome;
pub mod permit;
pub mod pipeline;
pub mod policy;
pub mod random;
pub mod schema;
pub mod secret;
pub mod shield;
pub mod source;
pub mod tool;

pub use audit::{AuditRecord, AuditSink, Ending};
pub use cache::{Cache, CacheStore, CacheUse, Freshness, LocalCache, Validators};
pub use call::{Call, ClaimedEffect, EffectId, LogLevel, Notification, Notify, RequestId};
pub use caller::{Caller, Claims, Presented, ScopeSet, SignIn};
pub use catalog::{Catalog, CatalogFault, Entry};
pub use clock::{Clock, SystemClock};
pub use counters::{Counters, LocalCounters};
pub use credentials::{CallerCredential, CallerCredentials, NoVaults};
pub use effect::Effect;
pub use effects::{EffectStore, EffectStoreError, IdempotencyKey, Verdict};
pub use endpoint::{Endpoint, EndpointId};
pub use error::{
    ArgumentFault, Blame, CallError, CredentialLack, CredentialRequired, Fault, InDoubt, OwnCode, Refusal,
    UpstreamCode, UpstreamFailure,
};
pub use fetch::{Fetch, FetchBounds, FetchError, Fetched};
pub use outcome::{Content, Outcome, ResourceBody};
pub use permit::permit;
pub use pipeline::{Effects, Pipeline, Shield};
pub use policy::{Policies, Policy, PolicyPatch};
pub use random::{OsRandomness, Randomness};
pub use secret::Secret;
pub use shield::{CircuitState, ShieldEvent, ShieldEvents, Unwatched};
pub use source::{Recovery, Resolution, Source};
pub use tool::{KeyParameter, Tool, ToolAddress, ToolSpec, WireName};
