//! What came back: read whole ([`Response::read`]) or piece by piece ([`Response::chunk`]), never
//! more of it than the limit, never longer than the request's time.

use std::{fmt, pin::Pin};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use url::Url;

use crate::{MaybeSent, MaybeSentReason, SendError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type AnswerBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// An answer whose body is still on its way. Dropping it closes the connection, or returns it to
/// the pool.
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) url: Url,
    pub(crate) host: String,
    pub(crate) body: AnswerBody,
    pub(crate) left: usize,
    pub(crate) cut: bool,
    pub(crate) ended: bool,
    pub(crate) time_is_up: BoxFuture<'static, ()>,
}

/// An answer that was read to its end, or to the limit.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its status.
    pub status: StatusCode,
    /// Its headers; without `content-encoding` and `content-length` where it was decompressed.
    pub headers: HeaderMap,
    /// Where it came from: another URL than the request's after a redirect.
    pub url: Url,
    /// Its body, decompressed.
    pub body: Bytes,
    /// Whether there was more of the body than the limit allows; `body` is as long as the limit.
    pub cut: bool,
}

impl Response {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers; without `content-encoding` and `content-length` where it is decompressed.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Where it came from: another URL than the request's after a redirect.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The next piece of the body; `None` at its end, or where the limit was reached, see
    /// [`Response::is_cut`].
    ///
    /// # Errors
    /// [`MaybeSentReason::BodyBroken`] or [`MaybeSentReason::TimedOut`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, SendError> {
        while !self.ended {
            let frame = tokio::select! {
                biased;
                frame = self.body.frame() => frame,
                () = &mut self.time_is_up => return Err(self.lost(MaybeSentReason::TimedOut, None)),
            };
            let frame = match frame {
                None => break,
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(self.lost(MaybeSentReason::BodyBroken, Some(error))),
            };
            // Trailers are nobody's business.
            let Ok(mut data) = frame.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            if data.len() > self.left {
                self.cut = true;
                self.ended = true;
                data.truncate(self.left);
            }
            self.left -= data.len();
            return Ok((!data.is_empty()).then_some(data));
        }
        self.ended = true;
        Ok(None)
    }

    /// Whether there was more of the body than the limit allows.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Reads the body to its end, or to the limit.
    ///
    /// # Errors
    /// As [`Response::chunk`].
    pub async fn read(mut self) -> Result<Received, SendError> {
        let mut body = BytesMut::new();
        while let Some(data) = self.chunk().await? {
            body.extend_from_slice(&data);
        }
        let Self { status, headers, url, cut, .. } = self;
        Ok(Received { status, headers, url, body: body.freeze(), cut })
    }

    fn lost(&mut self, reason: MaybeSentReason, cause: Option<BoxError>) -> SendError {
        self.ended = true;
        MaybeSent { reason, host: self.host.clone(), cause }.into()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("host", &self.host).finish_non_exhaustive()
    }
}

impl Received {
    /// The media type in lower case and without parameters, for example `application/json`;
    /// `None` where the answer does not name one that can be read.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let value = self.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next()?.trim().to_ascii_lowercase();
        (essence.contains('/')).then_some(essence)
    }
}
