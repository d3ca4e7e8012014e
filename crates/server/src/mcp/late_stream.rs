//! An answer that takes long becomes an event stream with comments that keep the way open, since
//! proxies and platforms cut connections on which nothing moves. What takes less stays plain JSON.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bridgehead_core::Clock;
use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture, stream};
use http::header;
use http_body_util::BodyExt;

/// How often a comment is sent while nothing else is.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Waits for `pending`; after `stream_after`, answers with a stream that ends with it.
///
/// Dropping the answer drops `pending`, so a client that goes away still cancels its call.
pub(super) async fn answer(
    mut pending: BoxFuture<'static, Response>,
    clock: &dyn Clock,
    stream_after: Duration,
) -> Response {
    tokio::select! {
        biased;
        response = &mut pending => response,
        () = clock.sleep(stream_after) => stream_until(pending),
    }
}

fn stream_until(pending: BoxFuture<'static, Response>) -> Response {
    let answer = stream::once(pending).flat_map(|response| stream::once(events(response)).flatten());
    let beats = stream::unfold((), |()| async {
        keep_alive_pause().await;
        Some((Bytes::from_static(b": keep-alive\n\n"), ()))
    });
    let first = stream::once(async { Bytes::from_static(b": the call goes on\n\n") });
    // The stream ends with the answer: beats alone must not keep it open.
    let answer = answer.map(Some).chain(stream::once(async { None }));
    let rest = stream::select(answer, beats.map(Some))
        .take_while(|item| std::future::ready(item.is_some()))
        .filter_map(std::future::ready);
    let body = Body::from_stream(first.chain(rest).map(Ok::<_, Infallible>));
    (
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")],
        [("x-accel-buffering", "no")],
        body,
    )
        .into_response()
}

/// Real time: the comments are for the network between, which no test clock moves.
#[expect(clippy::disallowed_methods, reason = "keep-alive comments are for the network, not for the logic")]
async fn keep_alive_pause() {
    tokio::time::sleep(KEEP_ALIVE).await;
}

/// A plain answer as one event; an event stream as it is.
async fn events(response: Response) -> stream::BoxStream<'static, Bytes> {
    let streams = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    if streams {
        return response.into_body().into_data_stream().filter_map(|chunk| std::future::ready(chunk.ok())).boxed();
    }
    match response.into_body().collect().await {
        // JSON on one line: serde_json writes no line breaks.
        Ok(body) => {
            let mut event = b"event: message\ndata: ".to_vec();
            event.extend_from_slice(&body.to_bytes());
            event.extend_from_slice(b"\n\n");
            stream::once(std::future::ready(Bytes::from(event))).boxed()
        }
        Err(error) => {
            tracing::warn!(%error, "an answer was lost on its way into the stream");
            stream::empty().boxed()
        }
    }
}
