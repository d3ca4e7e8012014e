//! SSRF: what somebody else wrote never leads to a private address, whatever the URL, the name
//! server or a redirect says.

use std::{net::SocketAddr, sync::atomic::Ordering};

use super::*;

const PUBLIC: &str = "93.184.215.14";

fn strangers(net: Net) -> Client<Strangers> {
    Client::strangers(net, Limits::STRANGERS)
}

/// Takes public addresses to the upstream, and leaves private ones alone.
fn detour(net: Net, upstream: &Upstream) -> Net {
    let there = SocketAddr::from(([127, 0, 0, 1], upstream.port));
    net.with_detour(move |ip| (ip.to_string() == PUBLIC).then_some(there))
}

fn is_refused(error: SendError) -> bool {
    matches!(not_sent(error), NotSentReason::AddressNotPublic(_))
}

#[tokio::test]
async fn no_way_of_writing_a_private_address_gets_through() {
    let mut upstream = Upstream::start(Answers::each("200 OK", "", ""));
    let port = upstream.port;
    let client = strangers(Net::system(clock()));
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "0",
        "0.0.0.0",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "172.16.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let error = client.send(Request::get(url(&format!("http://{host}:{port}/")))).await.unwrap_err();
        assert!(is_refused(error), "{host}");
    }
    assert!(!upstream.saw_more());
}

#[tokio::test]
async fn a_name_with_one_private_address_is_refused() {
    let (net, _) = net(&[
        ("localhost", &[&["127.0.0.1"]]),
        ("mixed.example", &[&[PUBLIC, "10.0.0.1"]]),
        ("six.example", &[&["2606:4700::1", "::ffff:169.254.169.254"]]),
        ("mapped.example", &[&["::ffff:127.0.0.1"]]),
    ]);
    let mut upstream = Upstream::start(Answers::each("200 OK", "", ""));
    let client = strangers(detour(net, &upstream));
    for name in ["localhost", "mixed.example", "six.example", "mapped.example"] {
        let error = client.send(Request::get(url(&format!("http://{name}:{}/", upstream.port)))).await.unwrap_err();
        assert!(is_refused(error), "{name}");
    }
    assert!(!upstream.saw_more());
}

/// DNS rebinding: the name is looked up once, and the connection goes to what was checked.
#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let (net, names) = net(&[("client.example", &[&[PUBLIC], &["127.0.0.1"]])]);
    let mut upstream = Upstream::start(Answers::each("200 OK", "", "metadata"));
    let client = strangers(detour(net, &upstream));
    let request = || Request::get(url("http://client.example/metadata"));
    let answer = client.send(request()).await.unwrap().read().await.unwrap();
    assert_eq!(answer.body, "metadata");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    assert!(upstream.seen().await.contains("host: client.example\r\n"));
    // The next request is looked up and checked anew: no connection is kept.
    assert!(is_refused(client.send(request()).await.unwrap_err()));
    assert!(!upstream.saw_more());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for location in ["/there", "http://127.0.0.1/", "http://client.example/there"] {
        let (net, _) = net(&[("client.example", &[&[PUBLIC]])]);
        let mut upstream = Upstream::start(Answers::each("302 Found", &format!("location: {location}"), ""));
        let client = strangers(detour(net, &upstream));
        let answer = client.send(Request::get(url("http://client.example/"))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND);
        upstream.seen().await;
        assert!(!upstream.saw_more());
    }
}

#[tokio::test]
async fn answers_are_small() {
    let (net, _) = net(&[("client.example", &[&[PUBLIC]])]);
    let upstream = Upstream::start(Answers::each("200 OK", "", &"x".repeat(Limits::STRANGERS.max_body_bytes + 1)));
    let client = strangers(detour(net, &upstream));
    let answer = client.send(Request::get(url("http://client.example/"))).await.unwrap().read().await.unwrap();
    assert!(answer.cut && answer.body.len() == Limits::STRANGERS.max_body_bytes);
}
