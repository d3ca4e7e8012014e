//! Who comes back to the listener, and who does not.

use std::{sync::Arc, time::Duration};

use bridgehead_core::Clock;
use bridgehead_doctor::{SignIn, SignInError};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Browser, Shown};
use crate::config::FixedEnvironment;

/// Waits for nothing, or for ever.
struct Standing {
    is_over: bool,
}

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        if self.is_over { Box::pin(async {}) } else { Box::pin(std::future::pending()) }
    }
}

async fn browser(is_over: bool) -> Browser {
    told(is_over, CancellationToken::new()).await
}

async fn told(is_over: bool, stop: CancellationToken) -> Browser {
    let (clock, progress) = (Arc::new(Standing { is_over }), Arc::new(Shown::on_stderr()));
    Browser::listen(clock, Duration::from_secs(300), progress, &FixedEnvironment::default(), stop).await.unwrap()
}

fn page() -> Url {
    Url::parse("https://as.example.com/authorize?state=s").unwrap()
}

async fn get(uri: &Url, target: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", uri.port().unwrap())).await.unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A browser opens a connection that it does not use, and asks for an icon; the answer ends it.
#[tokio::test]
async fn the_answer_is_the_request_with_a_code_or_an_error() {
    for query in ["code=c-1&state=s", "error=access_denied"] {
        let browser = browser(false).await;
        let uri = browser.redirect_uri();
        assert_eq!((uri.scheme(), uri.host_str(), uri.path()), ("http", Some("127.0.0.1"), "/callback"));
        let coming = async {
            let _unused = TcpStream::connect(("127.0.0.1", uri.port().unwrap())).await.unwrap();
            for target in
                ["/favicon.ico", "/callback", "/callback?state=s", "/other?code=c", "//evil.example/callback?code=c"]
            {
                assert!(get(&uri, target).await.starts_with("HTTP/1.1 404 "), "{target}");
            }
            assert!(get(&uri, &format!("/callback?{query}")).await.ends_with("You may close this.\n"));
        };
        let page = page();
        let (answered, ()) = tokio::join!(browser.authorize(&page), coming);
        assert_eq!(answered.unwrap().query(), Some(query));
    }
}

/// The page is loaded again while somebody signs in for the second time.
#[tokio::test]
async fn an_answer_that_came_before_is_no_answer() {
    let browser = browser(false).await;
    let (uri, page) = (browser.redirect_uri(), page());
    let (first, _) = tokio::join!(browser.authorize(&page), get(&uri, "/callback?code=c-1&state=s"));
    assert_eq!(first.unwrap().query(), Some("code=c-1&state=s"));
    let coming = async {
        get(&uri, "/callback?code=c-1&state=s").await;
        get(&uri, "/callback?code=c-2&state=t").await;
    };
    let (second, ()) = tokio::join!(browser.authorize(&page), coming);
    assert_eq!(second.unwrap().query(), Some("code=c-2&state=t"));
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_said() {
    assert_eq!(browser(true).await.authorize(&page()).await, Err(SignInError::TimedOut(300)));
}

#[tokio::test]
async fn whoever_is_told_to_stop_waits_for_nobody() {
    let stop = CancellationToken::new();
    let browser = told(false, stop.clone()).await;
    stop.cancel();
    assert_eq!(browser.authorize(&page()).await, Err(SignInError::Stopped));
}

/// The server says where to sign in; only web pages are opened.
#[tokio::test]
async fn nothing_but_a_web_page_is_opened() {
    let browser = browser(true).await;
    for page in ["file:///etc/passwd", "http://as.example.com/authorize", "javascript:alert(1)", "ms-settings:x"] {
        let refused = browser.authorize(&Url::parse(page).unwrap()).await;
        assert!(matches!(refused, Err(SignInError::Impossible(_))), "{page}: {refused:?}");
    }
    for page in ["http://localhost:1/authorize", "http://127.0.0.1:1/authorize", "http://[::1]:1/authorize"] {
        let opened = browser.authorize(&Url::parse(page).unwrap()).await;
        assert_eq!(opened, Err(SignInError::TimedOut(300)), "{page}");
    }
}
