//! A proxy on loopback that adds the key to every request and changes nothing else.

use std::sync::Arc;

use reqwest::Url;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// Starts it in front of `url`; the URL to use instead. Each connection carries one request, so
/// that every head passes here.
pub async fn start(url: &str, key: &str) -> String {
    let target = Url::parse(url).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut public = target.clone();
    public.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let behind = Arc::new((target.port().unwrap(), key.to_owned(), listener.local_addr().unwrap().port()));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let behind = behind.clone();
            tokio::spawn(async move { forward(client, behind.0, &behind.1, behind.2).await });
        }
    });
    public.to_string()
}

async fn forward(mut client: TcpStream, port: u16, key: &str, own_port: u16) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut byte = [0; 1];
        if client.read(&mut byte).await? == 0 {
            return Ok(());
        }
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.trim_end().split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut changed = format!("{}\r\n", lines.next().unwrap_or_default());
    for line in lines {
        // The server checks Host and Origin against its own address; what the suite sends to the
        // proxy's is meant for it.
        changed.push_str(&line.replace(&format!(":{own_port}"), &format!(":{port}")));
        changed.push_str("\r\n");
    }
    changed.push_str(&format!("Authorization: Bearer {key}\r\nConnection: close\r\n\r\n"));
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.write_all(changed.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
