//! How instant-acme sends its requests: by the one client there is, with its time-outs and limits.

use std::pin::Pin;

use bridgehead_outbound::{Bytes, Client, Configured, Request};
use http_body_util::BodyExt;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use url::Url;

/// The client, in the form that instant-acme wants.
pub(super) struct Http(pub(super) Client<Configured>);

/// The authority's answer is longer than any answer of ACME.
#[derive(Debug, thiserror::Error)]
#[error("its answer is too long")]
struct TooLong;

impl HttpClient for Http {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let url = Url::parse(&head.uri.to_string()).map_err(|error| Error::Other(error.into()))?;
            let mut outgoing = Request::new(head.method, url);
            outgoing.headers = head.headers;
            outgoing.body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(never) => match never {},
            };
            let answer = client.send(outgoing).await.map_err(|error| Error::Other(error.into()))?;
            let answer = answer.read().await.map_err(|error| Error::Other(error.into()))?;
            if answer.cut {
                return Err(Error::Other(TooLong.into()));
            }
            let (mut parts, ()) = http::Response::new(()).into_parts();
            parts.status = answer.status;
            parts.headers = answer.headers;
            Ok(BytesResponse { parts, body: Box::new(answer.body) })
        })
    }
}
