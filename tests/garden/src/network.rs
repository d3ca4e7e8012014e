//! What lies between the doctor and the garden: names, addresses, connections, the certificate.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bridgehead_core::Clock;
use bridgehead_outbound::{Net, Resolve};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::{Certificate, NAME};

/// An address of the public internet, for a server that has none.
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));

/// The network of a garden on the internet. Every address leads to the garden, whichever it is.
#[derive(Debug)]
pub struct Network {
    /// Names and their addresses. No other name is found; one without addresses has none.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// Connections to these addresses are refused.
    pub refused: Vec<IpAddr>,
    /// How connections begin.
    pub handshake: Handshake,
    /// The certificate that is shown.
    pub certificate: Certificate,
}

/// How a connection for TLS begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Handshake {
    /// As it should.
    #[default]
    Proper,
    /// It is closed before TLS.
    Closes,
    /// Nothing comes in the place of TLS; the clock moves on until whoever waits has given up.
    Hangs,
    /// These bytes come in the place of TLS.
    Says(Bytes),
    /// TLS is fine; what comes in the place of an HTTP answer is these bytes.
    SaysWithin(Bytes),
}

impl Default for Network {
    fn default() -> Self {
        Self {
            names: BTreeMap::from([(NAME.to_owned(), vec![PUBLIC])]),
            refused: Vec::new(),
            handshake: Handshake::Proper,
            certificate: Certificate::default(),
        }
    }
}

impl Network {
    /// The garden's own name has these addresses.
    pub fn addresses(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.names.insert(NAME.to_owned(), addresses.into_iter().collect());
    }

    /// How it is reached: `garden` is where it listens, and nobody listens at `nobody`.
    pub(crate) fn net(
        &self,
        clock: Arc<dyn Clock>,
        root: &CertificateDer<'_>,
        garden: SocketAddr,
        nobody: SocketAddr,
    ) -> Net {
        let refused = self.refused.clone();
        Net::system(clock)
            .with_resolver(Arc::new(Names(self.names.clone())))
            .with_roots([root.to_vec()])
            .with_detour(move |address| Some(if refused.contains(&address) { nobody } else { garden }))
    }
}

struct Names(BTreeMap<String, Vec<IpAddr>>);

impl Resolve for Names {
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.get(name.trim_end_matches('.')).cloned();
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}
