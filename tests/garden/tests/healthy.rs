//! The garden itself: without a fault it changes nothing, and what a fault does arrives at the doctor.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_doctor::visit::Surroundings;
use bridgehead_garden::{Answer, Course, Ending, Garden, Handshake, Mode, Tampering, Way};
use bridgehead_outbound::{Client, Limits, Received, Request, SendError};
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};
use url::Url;

async fn send(surroundings: &Surroundings, request: Request) -> Result<Received, SendError> {
    Client::visiting(surroundings.net.clone(), Limits::VISITED).send(request).await?.read().await
}

async fn rpc(garden: &Garden, method: &str) -> Result<Received, SendError> {
    let target = garden.target(bridgehead_doctor::Profile::Duvo);
    let mut request = Request::new(Method::POST, target.url);
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    for (name, value) in &target.headers {
        request.set_secret_header(name.clone(), value).unwrap();
    }
    request.body = json!({"jsonrpc": "2.0", "id": 1, "method": method}).to_string().into();
    send(&garden.surroundings(), request).await
}

fn tools(received: &Received) -> usize {
    let answer: Value = serde_json::from_slice(&received.body).unwrap();
    answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}")).len()
}

#[tokio::test]
async fn without_a_fault_the_server_is_there_on_either_way() {
    for way in [Way::Internet, Way::Loopback] {
        for mode in [Mode::Open, Mode::ApiKey, Mode::Headers] {
            let garden = Garden::healthy(mode, way).await;
            let received = rpc(&garden, "tools/list").await.unwrap();
            assert_eq!((received.status.as_u16(), tools(&received) >= 2), (200, true), "{mode:?} {way:?}");
        }
        let received = rpc(&Garden::healthy(Mode::OAuth, way).await, "tools/list").await.unwrap();
        assert_eq!(received.status, 401);
    }
}

/// Somebody signs in on the pages and comes back with a code.
#[tokio::test]
async fn the_teammate_comes_back_with_a_code() {
    let garden = Garden::healthy(Mode::OAuth, Way::Internet).await;
    let (surroundings, sign_in) = (garden.surroundings(), garden.sign_in());
    let at = |path: &str| Url::parse(&format!("{}{path}", garden.origin())).unwrap();
    let mut registration = Request::new(Method::POST, at("/oauth/register"));
    registration.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let metadata = json!({"redirect_uris": [sign_in.redirect_uri().as_str()], "token_endpoint_auth_method": "none"});
    registration.body = metadata.to_string().into();
    let registered = send(&surroundings, registration).await.unwrap();
    let client: Value = serde_json::from_slice(&registered.body).unwrap();
    let mut request = at("/oauth/authorize");
    request
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client["client_id"].as_str().unwrap())
        .append_pair("redirect_uri", sign_in.redirect_uri().as_str())
        .append_pair("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        .append_pair("code_challenge_method", "S256")
        .append_pair("state", "s-1");
    let back = sign_in.authorize(&request).await.unwrap();
    let names: Vec<String> = back.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert!(names.contains(&"code".to_owned()) && names.contains(&"iss".to_owned()), "{back}");
    // Once more: who is signed in is asked for consent alone.
    sign_in.authorize(&request).await.unwrap();
}

#[tokio::test]
async fn plain_http_on_the_internet_is_sent_on() {
    let garden = Garden::healthy(Mode::Open, Way::Internet).await;
    let url = Url::parse("http://mcp.example.com/mcp").unwrap();
    let received = send(&garden.surroundings(), Request::get(url)).await.unwrap();
    assert_eq!(
        (received.status.as_u16(), received.headers["location"].to_str().unwrap()),
        (308, "https://mcp.example.com/mcp")
    );
}

#[tokio::test]
async fn faults_arrive() {
    let planted = |tampering| Garden::planted(Mode::Open, Way::Internet, tampering);
    let garden = planted(Tampering::none().leaving(|asked, answer| {
        if asked.is_rpc("tools/list") {
            answer.change_json(|message| message["result"]["tools"] = json!([]));
        }
    }))
    .await;
    assert_eq!(tools(&rpc(&garden, "tools/list").await.unwrap()), 0);
    let garden = planted(Tampering::none().arriving(|_| Course::Close)).await;
    assert!(matches!(rpc(&garden, "ping").await, Err(SendError::MaybeSent(_))));
    let garden = planted(Tampering::none().arriving(|_| Course::Hang)).await;
    assert!(matches!(rpc(&garden, "ping").await, Err(SendError::MaybeSent(_))));
    for ending in [Ending::Broken, Ending::Hanging] {
        let tampering = Tampering::none().arriving(move |_| {
            let mut answer = Answer::page(200, "<p>");
            answer.ending = ending;
            Course::Answer(answer)
        });
        assert!(rpc(&planted(tampering).await, "ping").await.is_err(), "{ending:?}");
    }
    for handshake in [Handshake::Closes, Handshake::Hangs, Handshake::Says("HTTP/1.1 400 Bad Request\r\n\r\n".into())] {
        let garden = planted(Tampering::none().network(|network| network.handshake = handshake.clone())).await;
        assert!(matches!(rpc(&garden, "ping").await, Err(SendError::NotSent(_))), "{handshake:?}");
    }
    let garden = planted(Tampering::none().network(|network| network.certificate.with_intermediate = false)).await;
    assert!(matches!(rpc(&garden, "ping").await, Err(SendError::NotSent(_))));
}
