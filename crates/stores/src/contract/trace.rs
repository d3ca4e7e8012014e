//! What every [`TraceStore`] has to keep.

use std::{future::Future, sync::Arc};

use bridgehead_auth::{
    StoreError, TraceEvent, TraceStore,
    trace::{Fact, Kept, Step},
};
use jiff::Timestamp;

use super::{CROWD, at, crowd};

const EVERYTHING: Kept = Kept { since: Timestamp::MIN, at_most: 1_000 };

/// Holds a [`TraceStore`] to its promises. Has to run on a Tokio runtime, best one with several
/// threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn trace_store<Make, Made>(make: Make) -> Result<(), StoreError>
where
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<dyn TraceStore>, StoreError>>,
{
    steps_are_found_in_their_order(&*make().await?).await?;
    what_is_old_or_too_much_is_removed(&*make().await?).await?;
    many_append_at_once(make().await?).await
}

fn event(micros: i64, name: &str) -> TraceEvent {
    TraceEvent { at: at(micros), ..TraceEvent::done(Step::Metadata).with(Fact::ClientName, name) }
}

async fn names(store: &dyn TraceStore, since: i64) -> Result<Vec<String>, StoreError> {
    let events = store.trace_since(at(since)).await?;
    Ok(events.iter().map(|event| event.facts.get(Fact::ClientName).unwrap_or_default().to_owned()).collect())
}

async fn steps_are_found_in_their_order(store: &dyn TraceStore) -> Result<(), StoreError> {
    assert_eq!(store.trace_since(at(0)).await?, []);
    let hostile = "Žofie 张伟'; DROP TABLE trace_event; -- \u{7}\t\nname";
    let full = TraceEvent { at: at(30), ..TraceEvent::refused(Step::FirstCall, "invalid_grant", hostile) };
    let full = full.came_from([192, 0, 2, 1].into(), Some("agent/1.0")).with(Fact::Subject, "alice@example.com");
    store.append_trace(vec![full.clone(), event(20, "b")], EVERYTHING).await?;
    store.append_trace(vec![event(20, "c"), event(10, "a")], EVERYTHING).await?;
    store.append_trace(Vec::new(), EVERYTHING).await?;
    assert_eq!(names(store, 0).await?, ["a", "b", "c", ""]);
    assert_eq!(names(store, 20).await?, ["b", "c", ""]);
    assert_eq!(store.trace_since(at(30)).await?, [full]);
    Ok(())
}

async fn what_is_old_or_too_much_is_removed(store: &dyn TraceStore) -> Result<(), StoreError> {
    let events = (0_i64..10).map(|number| event(number, &number.to_string())).collect();
    store.append_trace(events, EVERYTHING).await?;
    store.append_trace(vec![event(10, "10")], Kept { since: at(3), at_most: 1_000 }).await?;
    assert_eq!(names(store, 0).await?.first().map(String::as_str), Some("3"));
    store.append_trace(vec![event(11, "11")], Kept { since: at(0), at_most: 3 }).await?;
    assert_eq!(names(store, 0).await?, ["9", "10", "11"], "the newest stay");
    Ok(())
}

async fn many_append_at_once(store: Arc<dyn TraceStore>) -> Result<(), StoreError> {
    crowd(&store, |store, number| async move {
        let micros = i64::try_from(number).unwrap_or_default();
        let events = (0..20).map(|_| event(micros, &number.to_string())).collect();
        store.append_trace(events, EVERYTHING).await
    })
    .await?;
    assert_eq!(store.trace_since(at(0)).await?.len(), CROWD * 20);
    Ok(())
}
