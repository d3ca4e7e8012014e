//! What the suite's scenarios for tasks call. Names and behaviour are the suite's.

use std::time::Duration;

use bridgehead::{ToolError, tools};
use tokio::time::Instant;

pub(crate) struct TaskTools;

/// The suite waits in real time.
#[expect(clippy::disallowed_methods, reason = "the suite measures real time")]
async fn pause(seconds: u64) {
    tokio::time::sleep_until(Instant::now() + Duration::from_secs(seconds)).await;
}

#[tools]
impl TaskTools {
    /// Greets at once.
    #[tool(read)]
    async fn greet(
        &self,
        /// Whom.
        name: String,
    ) -> String {
        format!("Hello, {name}!")
    }

    /// Takes as long as it is asked to.
    #[tool(read)]
    async fn slow_compute(
        &self,
        /// For how long.
        seconds: u64,
        /// What to say in the end.
        label: Option<String>,
    ) -> String {
        pause(seconds).await;
        format!("Computed {}", label.unwrap_or_default())
    }

    /// Answers plainly, without asking the client anything.
    #[tool(read)]
    async fn confirm_delete(
        &self,
        /// What is not deleted.
        filename: String,
    ) -> String {
        format!("Nothing was asked about {filename}")
    }

    /// Fails after a second.
    #[tool(read)]
    async fn failing_job(&self) -> Result<String, ToolError> {
        pause(1).await;
        Err(ToolError::new("This job fails, as it should"))
    }

    /// Panics after a second.
    #[tool(read)]
    #[expect(clippy::panic, reason = "a fault of the server's own is what is tested")]
    async fn protocol_error_job(&self) -> String {
        pause(1).await;
        panic!("as the suite wants it")
    }
}
