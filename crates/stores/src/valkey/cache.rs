//! A cache that replicas share. What stands on the server says nothing to whoever reads it: names are
//! keyed hashes, and answers are sealed for the name under which they stand. The names of tools are in
//! the clear.
//!
//! A tool's generation is a random number. Where the server has lost it another one begins, so that
//! nothing from before is found again. Nor is it after the server was started anew, or another one has
//! taken its place: such a server may have come up with a state from before a write.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_auth::{PurposeKeys, RootKeys, Sealed, Vault};
use bridgehead_core::{
    CacheStore, Randomness,
    cache::{CacheKey, CacheLost, Found, Generation, Remembered},
};
use redis::Script;

use super::{Valkey, ValkeyError};

const PURPOSE: &str = "bridgehead/cache/v1";

/// How long a generation is remembered. When it is forgotten, so is what was remembered in it.
const GENERATION_LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The generation of `KEYS[1]`, 16 bytes, and what stands under `KEYS[2]`. Where there is none, or it began
/// while the server had another `run_id`, `ARGV[1]` is it from now on. A server that keeps its `run_id` to
/// itself has to be trusted.
const LOOK: &str = "
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
local generation = redis.call('GET', KEYS[1])
if not generation or string.sub(generation, 17) ~= run then
  generation = ARGV[1] .. run
  redis.call('SET', KEYS[1], generation, 'EX', ARGV[2])
end
return { string.sub(generation, 1, 16), redis.call('GET', KEYS[2]) }
";

/// Lets `ARGV[2]` stand under `KEYS[2]` for `ARGV[3]` milliseconds, if `KEYS[1]` is still in this generation.
const KEEP: &str = "
if string.sub(redis.call('GET', KEYS[1]) or '', 1, 16) == ARGV[1] then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
";

/// Remembers answers on a server that replicas share.
pub struct ValkeyCache {
    valkey: Valkey,
    names: PurposeKeys,
    vault: Vault,
    randomness: Arc<dyn Randomness>,
    look: Script,
    keep: Script,
}

impl ValkeyCache {
    /// A cache for all who have the same root keys.
    #[must_use]
    pub fn new(valkey: Valkey, roots: &RootKeys, randomness: Arc<dyn Randomness>) -> Self {
        Self {
            valkey,
            names: PurposeKeys::derive(roots, PURPOSE),
            vault: Vault::derive(roots),
            randomness,
            look: Script::new(LOOK),
            keep: Script::new(KEEP),
        }
    }

    fn generation_of(&self, tool: &str) -> String {
        format!("{}:generation:{tool}", self.valkey.prefix)
    }

    fn name(&self, key: &CacheKey) -> String {
        let (_, hash) = self.names.sign(&[key.as_bytes()]);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:answer:{hash}", self.valkey.prefix)
    }

    fn fresh(&self) -> Vec<u8> {
        let mut generation = [0_u8; 16];
        self.randomness.fill(&mut generation);
        generation.to_vec()
    }
}

#[async_trait]
impl CacheStore for ValkeyCache {
    async fn look(&self, tool: &str, key: &CacheKey) -> Result<Found, CacheLost> {
        let name = self.name(key);
        let mut asked = self.look.prepare_invoke();
        asked.key(self.generation_of(tool)).key(&name).arg(self.fresh()).arg(GENERATION_LASTS.as_secs());
        let asked = &asked;
        let answer = self.valkey.ask(|mut connection| async move { asked.invoke_async(&mut connection).await });
        let (generation, sealed): (Vec<u8>, Option<Vec<u8>>) = answer.await.map_err(lost)?;
        let number = <[u8; 16]>::try_from(generation.as_slice()).map_err(|_| CacheLost("it was changed".into()))?;
        let answer = sealed.and_then(|sealed| {
            let clear = self.vault.open(&name, &Sealed::new(sealed)).ok()?;
            let (of, answer) = clear.split_at_checked(number.len())?;
            Remembered::from_bytes(answer).filter(|_| of == number)
        });
        Ok(Found { generation: Generation(u128::from_be_bytes(number)), answer: answer.map(Arc::new) })
    }

    async fn keep(
        &self,
        tool: &str,
        (key, generation): (&CacheKey, Generation),
        answer: Arc<Remembered>,
        time: Duration,
    ) -> Result<(), CacheLost> {
        let (name, number) = (self.name(key), generation.0.to_be_bytes());
        let clear = [&number[..], &answer.to_bytes()].concat();
        let sealed = self.vault.seal(&name, &clear, &*self.randomness);
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64);
        let mut asked = self.keep.prepare_invoke();
        asked.key(self.generation_of(tool)).key(&name).arg(&number[..]).arg(sealed.as_bytes()).arg(millis);
        let asked = &asked;
        let kept = self.valkey.ask(|mut connection| async move { asked.invoke_async(&mut connection).await });
        kept.await.map_err(lost)
    }

    /// Leaves a generation without a `run_id`, which the next look gives one.
    async fn forget(&self, tools: &[Arc<str>]) -> Result<(), CacheLost> {
        let mut asked = redis::pipe();
        for tool in tools {
            let begin = asked.cmd("SET").arg(self.generation_of(tool)).arg(self.fresh()).arg("EX");
            begin.arg(GENERATION_LASTS.as_secs()).ignore();
        }
        let asked = &asked;
        let forgotten = self.valkey.ask(|mut connection| async move { asked.query_async(&mut connection).await });
        forgotten.await.map_err(lost)
    }
}

fn lost(error: ValkeyError) -> CacheLost {
    CacheLost(error.to_string())
}
