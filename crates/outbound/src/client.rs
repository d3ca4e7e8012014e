//! The client: sends one request, follows redirects where the policy lets it, and says of every
//! failure whether something may have been sent.

use std::{error::Error, fmt, io, marker::PhantomData, net::IpAddr, time::Duration};

use http::{HeaderValue, Method, Uri, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::{
    client::legacy::Client as HyperClient,
    rt::{TokioExecutor, TokioTimer},
};
use tower_http::decompression::Decompression;
use tower_service::Service;
use url::{Host, Url};

use crate::{
    Bytes, Configured, Limits, MaybeSent, MaybeSentReason, NotSent, NotSentReason, Policy, Request, Response,
    SendError, Strangers, Visited, connect::ConnectError, connect::Connector, net::Net, response::AnswerBody,
};

type BoxError = Box<dyn Error + Send + Sync>;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// How long a connection that nobody uses is kept.
const POOL_IDLE: Duration = Duration::from_secs(60);
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("bridgehead/", env!("CARGO_PKG_VERSION")));

/// Sends requests under one policy. Cheap to clone; clones share the pool.
pub struct Client<P> {
    inner: HyperClient<Connector, Full<Bytes>>,
    net: Net,
    limits: Limits,
    policy: PhantomData<fn() -> P>,
}

impl Client<Configured> {
    /// A client for addresses that the operator wrote.
    #[must_use]
    pub fn configured(net: Net, limits: Limits) -> Self {
        Self::new(net, limits)
    }
}

impl Client<Strangers> {
    /// A client for addresses that somebody else wrote.
    #[must_use]
    pub fn strangers(net: Net, limits: Limits) -> Self {
        Self::new(net, limits)
    }
}

impl Client<Visited> {
    /// A client for a server that is looked at.
    #[must_use]
    pub fn visiting(net: Net, limits: Limits) -> Self {
        Self::new(net, limits)
    }
}

impl<P: Policy> Client<P> {
    fn new(net: Net, limits: Limits) -> Self {
        let connector = Connector::new(net.clone(), P::GUARDED, limits.connect_timeout);
        let inner = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            // A stranger's connection was checked for one request; a visitor wants to see each one made.
            .pool_max_idle_per_host(if P::FAMILIAR { usize::MAX } else { 0 })
            .build(connector);
        Self { inner, net, limits, policy: PhantomData }
    }

    /// Sends a request and returns with the head of its answer, whatever its status.
    ///
    /// Redirects (301, 302, 303, 307, 308) are followed for GET and HEAD under [`Configured`],
    /// where they stay within the origin, at most five times. Every other one is returned as it is.
    ///
    /// # Errors
    /// [`SendError::NotSent`] where provably nothing was sent, else [`SendError::MaybeSent`].
    pub async fn send(&self, request: Request) -> Result<Response, SendError> {
        let mut time_is_up = self.net.clock.sleep(request.timeout.unwrap_or(self.limits.timeout));
        let mut url = request.url.clone();
        let mut redirects = 0;
        loop {
            let host = host_of(&url);
            let answer = tokio::select! {
                biased;
                answer = self.exchange(&request, &url, &host) => answer?,
                () = &mut time_is_up => {
                    return Err(MaybeSent { reason: MaybeSentReason::TimedOut, host, cause: None }.into());
                }
            };
            match self.redirected(&request.method, &url, &answer) {
                Some(next) if redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    url = next;
                }
                _ => {
                    let (head, body) = answer.into_parts();
                    return Ok(Response {
                        status: head.status,
                        headers: head.headers,
                        url,
                        host,
                        body,
                        left: request.max_body_bytes.unwrap_or(self.limits.max_body_bytes),
                        cut: false,
                        ended: false,
                        time_is_up,
                    });
                }
            }
        }
    }

    async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        host: &str,
    ) -> Result<http::Response<AnswerBody>, SendError> {
        let not_sent = |reason| NotSent { reason, host: host.to_owned(), cause: None };
        check::<P>(url).map_err(not_sent)?;
        let uri: Uri = url.as_str().parse().map_err(|_| not_sent(NotSentReason::Url))?;
        let mut outgoing = http::Request::new(Full::new(request.body.clone()));
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = request.headers.clone();
        outgoing.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
        let answer = Decompression::new(self.inner.clone()).call(outgoing).await;
        let answer = answer.map_err(|error| told_apart(error, host))?;
        // The head of a compressed answer says so to a HEAD, too, where there is nothing to decompress.
        if request.method == Method::HEAD {
            return Ok(answer.map(|_| -> AnswerBody { Box::pin(Empty::new().map_err(|never| match never {})) }));
        }
        Ok(answer.map(|body| -> AnswerBody { Box::pin(body.map_err(BoxError::from)) }))
    }

    /// Where a redirect leads that may be followed.
    fn redirected<B>(&self, method: &Method, url: &Url, answer: &http::Response<B>) -> Option<Url> {
        let followed = P::FAMILIAR && matches!(*method, Method::GET | Method::HEAD);
        if !followed || !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = answer.headers().get(header::LOCATION)?.to_str().ok()?;
        url.join(location).ok().filter(|next| next.origin() == url.origin())
    }
}

/// What is wrong with a URL by itself. An address in the place of a name never reaches the
/// resolver, so the guard looks at it here; the URL parser has made plain ones of `0x7f.1` and
/// `2130706433` before.
fn check<P: Policy>(url: &Url) -> Result<(), NotSentReason> {
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(NotSentReason::Url);
    }
    let address: IpAddr = match url.host().ok_or(NotSentReason::Url)? {
        Host::Domain(_) => return Ok(()),
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => address.into(),
    };
    if P::GUARDED && !crate::is_public(address) {
        return Err(NotSentReason::AddressNotPublic(address));
    }
    Ok(())
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// hyper says `Connect` of everything before the first byte of a request, and of nothing after it.
fn told_apart(error: hyper_util::client::legacy::Error, host: &str) -> SendError {
    let host = host.to_owned();
    if error.is_connect() {
        let reason = why(&error);
        NotSent { reason, host, cause: Some(error.into()) }.into()
    } else {
        MaybeSent { reason: MaybeSentReason::ConnectionLost, host, cause: Some(error.into()) }.into()
    }
}

/// What kept a connection from being made, from the chain of causes.
fn why(error: &(dyn Error + 'static)) -> NotSentReason {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<ConnectError>() {
            return ours.reason();
        }
        if error.is::<rustls::Error>() {
            return NotSentReason::Tls;
        }
        // What an I/O error wraps is not its source, but the source's own parent.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as _),
            None => error.source(),
        };
    }
    NotSentReason::Connect
}

impl<P> Clone for Client<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), net: self.net.clone(), limits: self.limits.clone(), policy: PhantomData }
    }
}

impl<P> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
