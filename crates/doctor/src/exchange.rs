//! A request and its answer as they are shown: without secrets, and cut to what a person reads.

use std::time::Duration;

use serde::Serialize;

/// A request and what came of it. Holds no secret: what is known as one is replaced before it gets here.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// `POST`.
    pub method: String,
    /// Where it went.
    pub url: String,
    /// The headers that were sent, in order.
    pub request_headers: Vec<(String, String)>,
    /// The body that was sent.
    pub request_body: String,
    /// What came back.
    pub answer: Result<ShownAnswer, String>,
    /// How long it took, in milliseconds.
    #[serde(rename = "milliseconds", serialize_with = "milliseconds")]
    pub took: Duration,
}

/// An answer as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct ShownAnswer {
    /// `401`.
    pub status: u16,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body, cut to 4 KiB.
    pub body: String,
}

impl Exchange {
    /// Everything that holds something of a secret's owner or of the server, to be changed.
    pub(crate) fn for_each_text(&mut self, change: impl Fn(&mut String)) {
        let (headers, rest) = match &mut self.answer {
            Ok(answer) => (answer.headers.as_mut_slice(), &mut answer.body),
            Err(error) => (Default::default(), error),
        };
        let headers = self.request_headers.iter_mut().chain(headers).map(|(_, value)| value);
        [&mut self.url, &mut self.request_body, rest].into_iter().chain(headers).for_each(change);
    }
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
