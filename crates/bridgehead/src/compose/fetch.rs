//! How the authorization server fetches what a client points at: as from a stranger, whose addresses
//! are guarded by `bridgehead-outbound`.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::{Fetch, FetchBounds, FetchError, Fetched};
use bridgehead_outbound::{Client, Limits, Net, NotSentReason, Request, SendError, Strangers};
use http::{HeaderMap, HeaderValue, header};
use url::Url;

/// Fetches documents of strangers.
pub(super) struct StrangersDocuments(Client<Strangers>);

impl StrangersDocuments {
    pub(super) fn new(net: Net) -> Self {
        Self(Client::strangers(net, Limits::STRANGERS))
    }
}

#[async_trait]
impl Fetch for StrangersDocuments {
    async fn get(&self, url: &str, bounds: FetchBounds) -> Result<Fetched, FetchError> {
        let url = Url::parse(url).map_err(|error| FetchError::Forbidden { what: error.to_string() })?;
        if url.scheme() != "https" {
            return Err(FetchError::Forbidden { what: "its URL does not begin with https".to_owned() });
        }
        let mut request = Request::get(url);
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        request.timeout = Some(bounds.timeout);
        request.max_body_bytes = Some(bounds.max_bytes);
        let answer = match self.0.send(request).await {
            Ok(answer) => answer.read().await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(failed)?;
        if answer.cut {
            return Err(FetchError::TooLarge { max_bytes: bounds.max_bytes });
        }
        Ok(Fetched {
            status: answer.status.as_u16(),
            content_type: texts(&answer.headers, &header::CONTENT_TYPE),
            cache_control: texts(&answer.headers, &header::CACHE_CONTROL),
            body: answer.body.to_vec(),
        })
    }
}

/// The words reach whoever made the client up. They must not learn which names there are inside, or
/// where those lead: a private name reads like one that does not exist. The cause is for the log.
fn failed(error: SendError) -> FetchError {
    let what = match &error {
        SendError::NotSent(not_sent) => match not_sent.reason {
            NotSentReason::Url => return FetchError::Forbidden { what: error.to_string() },
            NotSentReason::AddressNotPublic(_) | NotSentReason::Name => {
                "its host cannot be found on the public internet".to_owned()
            }
            NotSentReason::Connect | NotSentReason::Tls | NotSentReason::ConnectTimedOut => error.to_string(),
        },
        SendError::MaybeSent(_) => error.to_string(),
    };
    tracing::debug!(%error, "a document of a client could not be fetched");
    FetchError::Failed { what, cause: Some(Arc::new(error)) }
}

/// All lines of a header, joined by commas.
pub(super) fn texts(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}
