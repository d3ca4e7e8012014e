//! The header with which a proxy begins a connection it hands through (PROXY protocol, version 2,
//! §2.2 of its specification). Read only from proxies that the configuration names; version 1 is
//! not taken, since a client could write it by hand.

use std::{io, net::SocketAddr};

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Signature, version and command, family, and the length of what follows.
const FIXED: usize = 16;
/// Addresses and extensions; what is larger is no header of a proxy that means well.
const MOST: usize = 2048;

/// Reads the header off the beginning of `stream`, and nothing beyond it. The client's address as
/// the proxy names it; `None` where it speaks for itself, as health checks do.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] for anything but a header, else what the connection says.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut header = [0_u8; FIXED];
    stream.read_exact(&mut header).await?;
    let [.., high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MOST || !header.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
        return Err(invalid("this is no PROXY protocol header of version 2"));
    }
    let mut whole = header.to_vec();
    whole.resize(FIXED + length, 0);
    let Some(rest) = whole.get_mut(FIXED..) else { return Err(invalid("an empty header")) };
    stream.read_exact(rest).await?;
    let config = ParseConfig { include_tlvs: false, allow_v1: false, allow_v2: true };
    let (header, _) =
        ProxyHeader::parse(&whole, config).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(header.proxied_address().map(|address| address.source))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proxy_header::ProxiedAddress;

    use super::*;

    fn header(client: &str) -> Vec<u8> {
        let proxied = ProxiedAddress::stream(client.parse().unwrap(), "10.0.0.1:443".parse().unwrap());
        let mut bytes = Vec::new();
        ProxyHeader::with_address(proxied).encode_v2(&mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn the_header_is_read_and_what_follows_is_left() {
        let mut bytes = header("203.0.113.9:4711");
        bytes.extend_from_slice(b"GET / HTTP/1.1\r\n");
        let mut stream = bytes.as_slice();
        assert_eq!(read(&mut stream).await.unwrap(), Some("203.0.113.9:4711".parse().unwrap()));
        assert_eq!(stream, b"GET / HTTP/1.1\r\n");
    }

    #[tokio::test]
    async fn a_proxy_that_speaks_for_itself_names_nobody() {
        let mut bytes = Vec::new();
        ProxyHeader::with_local().encode_v2(&mut bytes).unwrap();
        assert_eq!(read(&mut bytes.as_slice()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let mut long = header("203.0.113.9:4711");
        long[14] = 0xff;
        for bytes in [
            b"GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n".to_vec(),
            header("203.0.113.9:4711")[..20].to_vec(),
            long,
            Vec::new(),
        ] {
            assert!(read(&mut bytes.as_slice()).await.is_err(), "{bytes:?}");
        }
    }
}
