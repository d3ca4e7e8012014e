//! What a cache has to keep, wherever it remembers: an answer is found under its key, in the generation
//! in which it was asked for, and never otherwise. It may forget at any time, but not within this suite.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use bridgehead_core::{
    CacheStore, Content, Freshness, Outcome, Validators,
    cache::{CacheKey, CacheLost, Generation, Remembered},
};
use jiff::Timestamp;

use super::CROWD;

const LONG: Duration = Duration::from_secs(3600);
const TOOL: &str = "main/crm.get";

/// Holds a [`CacheStore`] to its promises; `make` gives an empty one. Has to run on a Tokio runtime, best
/// one with several threads.
///
/// # Errors
/// What the cache answered where it should have succeeded.
pub async fn cache_store<Make, Made>(make: Make) -> Result<(), CacheLost>
where
    Make: Fn() -> Made,
    Made: Future<Output = Arc<dyn CacheStore>>,
{
    what_is_kept_is_found_as_it_was(&*make().await).await?;
    each_key_and_each_tool_is_by_itself(&*make().await).await?;
    another_generation_begins_with_nothing(&*make().await).await?;
    what_was_asked_before_is_not_found_afterwards(&*make().await).await?;
    generations_never_come_back(make().await).await
}

fn key(number: u8) -> CacheKey {
    CacheKey::new([number; 32])
}

fn answer(text: &str) -> Arc<Remembered> {
    let structured = serde_json::json!({"b": text, "a": [9_007_199_254_740_993_u64, null, 0.1, "\u{0}ä😀"]});
    let mut outcome = Outcome::structured(structured.as_object().expect("an object").clone());
    outcome.content.push(Content::Text(text.to_owned()));
    outcome.meta.insert("x/y".into(), true.into());
    let validators = Some(Validators { etag: Some("W/\"a\"".into()), last_modified: None });
    Arc::new(Remembered {
        outcome,
        made_at: Timestamp::from_microsecond(1_800_000_000_123_456).expect("near"),
        kept_at: Timestamp::from_microsecond(1_800_000_001_000_000).expect("near"),
        fresh_until: Timestamp::MAX,
        stale_until: Timestamp::MAX,
        said: Freshness { lifetime: Some(LONG), validators, ..Freshness::default() },
    })
}

async fn found(
    cache: &dyn CacheStore,
    tool: &str,
    number: u8,
) -> Result<(Generation, Option<Arc<Remembered>>), CacheLost> {
    let found = cache.look(tool, &key(number)).await?;
    Ok((found.generation, found.answer))
}

async fn what_is_kept_is_found_as_it_was(cache: &dyn CacheStore) -> Result<(), CacheLost> {
    let (generation, nothing) = found(cache, TOOL, 1).await?;
    assert_eq!(nothing, None);
    for text in ["first", "the second takes its place"] {
        cache.keep(TOOL, (&key(1), generation), answer(text), LONG).await?;
        assert_eq!(found(cache, TOOL, 1).await?, (generation, Some(answer(text))));
    }
    Ok(())
}

async fn each_key_and_each_tool_is_by_itself(cache: &dyn CacheStore) -> Result<(), CacheLost> {
    let (generation, _) = found(cache, TOOL, 1).await?;
    cache.keep(TOOL, (&key(1), generation), answer("one"), LONG).await?;
    assert_eq!(found(cache, TOOL, 2).await?.1, None);
    let (other, _) = found(cache, "main/crm.list", 3).await?;
    cache.keep("main/crm.list", (&key(3), other), answer("three"), LONG).await?;
    cache.forget(&["main/crm.list".into()]).await?;
    assert_eq!(found(cache, TOOL, 1).await?, (generation, Some(answer("one"))));
    assert_eq!(found(cache, "main/crm.list", 3).await?.1, None);
    Ok(())
}

async fn another_generation_begins_with_nothing(cache: &dyn CacheStore) -> Result<(), CacheLost> {
    let (before, _) = found(cache, TOOL, 1).await?;
    cache.keep(TOOL, (&key(1), before), answer("before"), LONG).await?;
    cache.forget(&["main/crm.other".into(), TOOL.into()]).await?;
    let (after, nothing) = found(cache, TOOL, 1).await?;
    assert!(after != before && nothing.is_none());
    cache.keep(TOOL, (&key(1), after), answer("after"), LONG).await?;
    assert_eq!(found(cache, TOOL, 1).await?, (after, Some(answer("after"))));
    Ok(())
}

/// A slow answer is not found, and does not take the place of the one that came after the write.
async fn what_was_asked_before_is_not_found_afterwards(cache: &dyn CacheStore) -> Result<(), CacheLost> {
    let (before, _) = found(cache, TOOL, 1).await?;
    cache.forget(&[TOOL.into()]).await?;
    cache.keep(TOOL, (&key(1), before), answer("slow"), LONG).await?;
    let (after, nothing) = found(cache, TOOL, 1).await?;
    assert_eq!(nothing, None);
    cache.keep(TOOL, (&key(1), after), answer("new"), LONG).await?;
    cache.keep(TOOL, (&key(1), before), answer("slower"), LONG).await?;
    assert_eq!(found(cache, TOOL, 1).await?, (after, Some(answer("new"))));
    Ok(())
}

async fn generations_never_come_back(cache: Arc<dyn CacheStore>) -> Result<(), CacheLost> {
    let mut seen = HashSet::from([found(&*cache, TOOL, 1).await?.0]);
    for _ in 0..CROWD {
        cache.forget(&[TOOL.into()]).await?;
        let (generation, _) = found(&*cache, TOOL, 1).await?;
        assert!(seen.insert(generation), "{generation:?} came back");
        assert_eq!(found(&*cache, TOOL, 2).await?.0, generation, "it is the tool's, not the key's");
    }
    Ok(())
}
