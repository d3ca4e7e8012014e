//! A name server on a loopback address of its own, which knows every name as 127.0.0.1, and a web server with one answer:
//! what a program asks that has to resolve names without the C library's usual surroundings.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context, Result};

/// Where a name server has to listen: its port cannot be told to a resolver.
const PORT: u16 = 53;
/// Header of a message (RFC 1035 §4.1.1), and what follows the name of a question.
const HEADER: usize = 12;
const TYPE_AND_CLASS: usize = 4;
const TYPE_A: &[u8] = &[0, 1];

/// Starts the name server; its address. It ends with this process.
pub(super) fn name_server() -> Result<Ipv4Addr> {
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 53, high, low);
    let socket = UdpSocket::bind((address, PORT)).with_context(|| format!("cannot listen on {address}:{PORT}"))?;
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = buffer.get(..length).and_then(answer) {
                // A resolver that hears nothing asks again.
                _ = socket.send_to(&answer, from);
            }
        }
    });
    Ok(address)
}

/// 127.0.0.1 for type A, nothing for another (RFC 1035 §4).
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let name = question.get(HEADER..)?.iter().position(|byte| *byte == 0)? + 1;
    let asked = question.get(HEADER..HEADER + name + TYPE_AND_CLASS)?;
    let has_answer = asked.get(name..name + 2)? == TYPE_A;
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(has_answer), 0, 0, 0, 0]);
    answer.extend(asked);
    if has_answer {
        // The name as in the question, A, IN, a minute, four bytes.
        answer.extend([0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

/// Starts a web server that answers everything with `{"orders":3}`; its port.
pub(super) fn web_server() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let SocketAddr::V4(address) = listener.local_addr()? else { anyhow::bail!("bound to IPv4") };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            // Its requests fit, and whoever asked sees what went wrong.
            _ = stream.read(&mut request).and_then(|_| {
                stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{\"orders\":3}",
                )
            });
        }
    });
    Ok(address.port())
}
