//! An answer as it leaves the garden.

use bridgehead_harness::page::way_back;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;
use url::Url;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers. `content-length` is written by the proxy.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What comes behind the body.
    pub ending: Ending,
}

/// What comes behind a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// The end.
    #[default]
    Complete,
    /// More is promised, and the connection breaks.
    Broken,
    /// More is promised and nothing comes; the clock moves on until whoever waits has given up.
    Hanging,
}

impl Answer {
    /// An answer with a body of this media type.
    #[must_use]
    pub fn new(status: u16, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        let status = StatusCode::from_u16(status).expect("a status");
        Self { status, headers, body: body.into(), ending: Ending::Complete }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        let mut answer = Self::new(status, "text/plain", Bytes::new());
        answer.headers.clear();
        answer
    }

    /// An answer in JSON.
    #[must_use]
    pub fn of_json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    /// A web page.
    #[must_use]
    pub fn page(status: u16, html: &'static str) -> Self {
        Self::new(status, "text/html; charset=utf-8", html)
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        let mut answer = Self::empty(status);
        answer.set_header("location", location);
        answer
    }

    /// Sets a header, in the place of all of this name.
    pub fn set_header(&mut self, name: &'static str, value: &str) {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header's value"));
    }

    /// A header's value, where it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Changes the JSON of the body, or of each event where it is a stream; leaves any other body.
    pub fn change_json(&mut self, change: impl Fn(&mut Value)) {
        let changed = |text: &str| {
            serde_json::from_str::<Value>(text).ok().map(|mut value| {
                change(&mut value);
                value.to_string()
            })
        };
        let text = String::from_utf8_lossy(&self.body).into_owned();
        if self.header("content-type").is_some_and(|media_type| media_type.starts_with("text/event-stream")) {
            let lines = text.split('\n').map(|line| {
                let data = line.strip_prefix("data:").and_then(|data| changed(data.trim()));
                data.map_or_else(|| line.to_owned(), |data| format!("data: {data}"))
            });
            self.body = lines.collect::<Vec<_>>().join("\n").into();
        } else if let Some(text) = changed(&text) {
            self.body = text.into();
        }
    }

    /// Changes where the page after consent leads back to, in its link.
    pub fn change_way_back(&mut self, change: impl FnOnce(&mut Url)) {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let Some((before, after, mut url)) = way_back(&text) else { return };
        change(&mut url);
        self.body = format!("{before}{}{after}", url.as_str().replace('&', "&#38;")).into();
    }
}
