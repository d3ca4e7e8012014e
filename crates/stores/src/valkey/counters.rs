//! [`Counters`] that replicas share. The arithmetic is that of `bridgehead_core::counters::Bucket`, in one
//! script for each question, so that no two replicas can count at once; the contract holds both to it.

use std::time::Duration;

use async_trait::async_trait;
use bridgehead_core::{
    Counters,
    counters::{CountersLost, Pace, Terms, Turn, micros},
    policy::Rate,
};
use redis::Script;

use super::{Time, Valkey, ValkeyError};

/// The scripts, with their hashes: sent once, named from then on.
pub(super) struct Scripts {
    take: Script,
    pause: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self { take: script(include_str!("take.lua")), pause: script(include_str!("pause.lua")) }
    }
}

fn script(text: &str) -> Script {
    Script::new(&format!("{}{text}", include_str!("bucket.lua")))
}

#[async_trait]
impl Counters for Valkey {
    async fn take(&self, key: &str, rate: &Rate, terms: Terms) -> Result<Turn, CountersLost> {
        let arguments = [micros(terms.wait), micros(terms.ahead)];
        let (granted, time): (bool, u64) = self.count(&self.scripts.take, key, rate, &arguments).await.map_err(lost)?;
        let time = Duration::from_micros(time);
        Ok(if granted { Turn::Granted { wait: time } } else { Turn::Refused { retry_after: time } })
    }

    async fn pause(&self, key: &str, rate: &Rate, pause: Duration) -> Result<(), CountersLost> {
        self.count(&self.scripts.pause, key, rate, &[micros(pause)]).await.map_err(lost)
    }
}

impl Valkey {
    async fn count<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        rate: &Rate,
        arguments: &[i64],
    ) -> Result<T, ValkeyError> {
        let pace = Pace::from(rate);
        let mut invocation = script.prepare_invoke();
        invocation.key(format!("{}:count:{key}", self.prefix)).arg(self.now()).arg(pace.interval).arg(pace.slack);
        for argument in arguments {
            invocation.arg(*argument);
        }
        let invocation = &invocation;
        self.ask(|mut connection| async move { invocation.invoke_async(&mut connection).await }).await
    }

    /// Microseconds since 1970, or 0 where the server's time counts.
    fn now(&self) -> i64 {
        match self.time {
            Time::Servers => 0,
            #[cfg(any(test, feature = "contract"))]
            Time::Clocks => self.clock.now().as_microsecond(),
        }
    }
}

fn lost(error: ValkeyError) -> CountersLost {
    CountersLost(error.to_string())
}
