//! Name, address, connection, TLS: everything before the first byte of a request. The address guard
//! stands between the name and the connection, so what was checked is what is connected to.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::Name},
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::{NotSentReason, net::Net};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxedFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
pub(crate) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Found by [`crate::client`] in the chain of causes of what hyper reports.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("a name could not be looked up")]
    Name(#[source] io::Error),
    #[error("a name has no address")]
    NoAddress,
    #[error("{0} is not a public address")]
    NotPublic(IpAddr),
    #[error("TLS is not possible")]
    Tls(#[source] rustls::Error),
    #[error("connecting took too long")]
    TimedOut,
}

impl ConnectError {
    pub(crate) const fn reason(&self) -> NotSentReason {
        match self {
            Self::Name(_) | Self::NoAddress => NotSentReason::Name,
            Self::NotPublic(address) => NotSentReason::AddressNotPublic(*address),
            Self::Tls(_) => NotSentReason::Tls,
            Self::TimedOut => NotSentReason::ConnectTimedOut,
        }
    }
}

/// Looks a name up and, for strangers, lets no name through that has an address which is not
/// public, were it one among many.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    net: Net,
    guarded: bool,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ConnectError;
    type Future = BoxedFuture<Self::Response, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (net, guarded) = (self.net.clone(), self.guarded);
        let looking = net.resolver.resolve(name.as_str());
        Box::pin(async move {
            let addresses = looking.await.map_err(ConnectError::Name)?;
            if addresses.is_empty() {
                return Err(ConnectError::NoAddress);
            }
            if guarded && let Some(address) = addresses.iter().find(|address| !crate::is_public(**address)) {
                return Err(ConnectError::NotPublic(*address));
            }
            let detour = |address| net.detour.as_ref().and_then(|detour| detour(address));
            // Port 0 is replaced by the URL's.
            let found = addresses.into_iter().map(|ip| detour(ip).unwrap_or_else(|| SocketAddr::new(ip, 0)));
            Ok(found.collect::<Vec<_>>().into_iter())
        })
    }
}

/// Connects, within a time.
#[derive(Clone)]
pub(crate) struct Connector {
    http: HttpConnector<GuardedResolver>,
    net: Net,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(net: Net, guarded: bool, timeout: Duration) -> Self {
        let mut http = HttpConnector::new_with_resolver(GuardedResolver { net: net.clone(), guarded });
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(Duration::from_secs(60)));
        Self { http, net, timeout }
    }

    async fn connect(mut self, uri: Uri) -> Result<Stream, BoxError> {
        if uri.scheme_str() == Some("https") {
            let tls: Arc<_> = self.net.tls().map_err(ConnectError::Tls)?;
            HttpsConnector::from((self.http, tls)).call(uri).await
        } else {
            Ok(MaybeHttpsStream::Http(self.http.call(uri).await?))
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxedFuture<Stream, BoxError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let time_is_up = self.net.clock.sleep(self.timeout);
        let connecting = self.clone().connect(uri);
        Box::pin(async move {
            tokio::select! {
                biased;
                connected = connecting => connected,
                () = time_is_up => Err(ConnectError::TimedOut.into()),
            }
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
