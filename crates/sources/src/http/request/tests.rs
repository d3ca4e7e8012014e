//! What a caller gives stays where it belongs, whatever it is.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::http::encode_reserved;

fn base(text: &str) -> Url {
    text.parse().unwrap()
}

/// A request to `/v1/orders/VALUE/lines`, or why not.
fn with_segment(value: &str) -> Result<Request, IllegalValue> {
    let mut builder = RequestBuilder::new(Method::GET, &base("https://erp.internal/v1/"));
    builder.literal_path("/orders");
    builder.segment(Segment::default().value(value))?;
    builder.literal_path("lines");
    Ok(builder.build())
}

#[test]
fn values_are_encoded_for_their_place() {
    for (value, path) in [
        ("A-1", "/v1/orders/A-1/lines"),
        ("a/b", "/v1/orders/a%2Fb/lines"),
        ("a\\b", "/v1/orders/a%5Cb/lines"),
        ("%2e%2e", "/v1/orders/%252e%252e/lines"),
        ("..%2f", "/v1/orders/..%252f/lines"),
        ("../../admin", "/v1/orders/..%2F..%2Fadmin/lines"),
        ("a?b#c", "/v1/orders/a%3Fb%23c/lines"),
        ("ä ö\n\t", "/v1/orders/%C3%A4%20%C3%B6%0A%09/lines"),
        ("...", "/v1/orders/.../lines"),
        (";a=1", "/v1/orders/%3Ba%3D1/lines"),
    ] {
        assert_eq!(with_segment(value).unwrap().url.path(), path, "{value}");
    }
    for value in ["", ".", ".."] {
        assert_eq!(with_segment(value).unwrap_err(), IllegalValue::Segment, "{value}");
    }
}

#[test]
fn literal_text_stays_as_it_is_written() {
    let mut builder = RequestBuilder::new(Method::GET, &base("https://erp.internal/api?tenant=a#part"));
    builder.literal_path("/odata/Orders(1);v=2/a%2Fb:run/ä b/");
    let url = builder.build().url;
    assert_eq!(url.as_str(), "https://erp.internal/api/odata/Orders(1);v=2/a%2Fb:run/%C3%A4%20b/?tenant=a");
    // A value between literals: dots that the value brings do not climb either.
    let mut builder = RequestBuilder::new(Method::GET, &base("https://erp.internal"));
    assert_eq!(builder.segment(Segment::default().literal(".").value(".")), Err(IllegalValue::Segment));
    assert_eq!(builder.segment(Segment::default().literal("%2E").value(".")), Err(IllegalValue::Segment));
    builder.segment(Segment::default().value("7").literal(".json")).unwrap();
    assert_eq!(builder.build().url.as_str(), "https://erp.internal/7.json");
}

#[test]
fn queries_and_cookies_are_encoded() {
    let mut builder = RequestBuilder::new(Method::GET, &base("https://erp.internal/"));
    builder.query("filter[name]", "a&b=c+d #e");
    builder.query_encoded(format!("ids={},{}", encode("1,2"), encode("3")));
    builder.query_encoded(format!("path={}", encode_reserved("/a?b&c#d%2Fe")));
    builder.cookie("session", "a; b=c");
    builder.cookie("theme", "dark");
    let request = builder.build();
    assert_eq!(request.url.query(), Some("filter%5Bname%5D=a%26b%3Dc%2Bd%20%23e&ids=1%2C2,3&path=/a?b%26c%23d%252Fe"));
    assert_eq!(request.headers["cookie"], "session=a%3B%20b%3Dc; theme=dark");
}

#[test]
fn header_values_cannot_add_headers() {
    let mut builder = RequestBuilder::new(Method::GET, &base("https://erp.internal/"));
    assert_eq!(builder.header("x-a", "b\r\nx-admin: 1"), Err(IllegalValue::Header));
    assert_eq!(builder.header("x a", "b"), Err(IllegalValue::HeaderName));
    builder.header("X-A", "ä").unwrap();
    assert_eq!(builder.build().headers["x-a"].as_bytes(), "ä".as_bytes());
}

#[test]
fn bodies_have_their_media_type() {
    let part = |name: &str, file: Option<&str>, bytes: &[u8]| Part {
        name: name.into(),
        file_name: file.map(Into::into),
        media_type: file.map(|_| "image/png".into()),
        bytes: bytes.into(),
    };
    for (body, media_type, expected) in [
        (Body::Json(json!({"a": 1}), None), "application/json", "{\"a\":1}"),
        (Body::Json(json!([]), Some("application/json-patch+json".into())), "application/json-patch+json", "[]"),
        (
            Body::Form(vec![("a b".into(), "ä&".into()), ("c".into(), String::new())]),
            "application/x-www-form-urlencoded",
            "a+b=%C3%A4%26&c=",
        ),
        (Body::Text("hi".into(), "text/plain".into()), "text/plain", "hi"),
        (Body::Bytes(vec![0x41], "application/octet-stream".into()), "application/octet-stream", "A"),
        (
            Body::Multipart(vec![
                part("na\"me", None, b"x"),
                part("f", Some("a.png\r\n"), b"bridgehead-part-00000000"),
            ]),
            "multipart/form-data; boundary=bridgehead-part-00000001",
            "--bridgehead-part-00000001\r\ncontent-disposition: form-data; name=\"na%22me\"\r\n\r\nx\r\n\
             --bridgehead-part-00000001\r\ncontent-disposition: form-data; name=\"f\"; filename=\"a.png%0D%0A\"\r\n\
             content-type: image/png\r\n\r\nbridgehead-part-00000000\r\n--bridgehead-part-00000001--\r\n",
        ),
    ] {
        let mut builder = RequestBuilder::new(Method::POST, &base("https://erp.internal/"));
        builder.body(body);
        let request = builder.build();
        assert_eq!(request.headers["content-type"], media_type);
        assert_eq!(String::from_utf8_lossy(&request.body), expected);
    }
}

/// What people try, more often than chance would.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r"[./\\%2eEfF5cC;?#@:&=+ \t\r\n\x00ä。．／]{0,12}",
        prop::sample::select(vec![
            "..", ".", "", "%2e", "%2E%2e", ".%2e", "..;", "..\u{0}", "../..", "..\\..", "//", "。。", "．．"
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Issue 3: path values never leave their segment.
    #[test]
    fn a_value_never_leaves_its_segment(value in any_value(), suffix in prop_oneof![Just(""), Just(".json"), Just(".")]) {
        let mut builder = RequestBuilder::new(Method::GET, &base("https://erp.internal/v1"));
        builder.literal_path("orders");
        match builder.segment(Segment::default().value(&value).literal(suffix)) {
            Err(error) => {
                let whole = format!("{value}{suffix}");
                prop_assert!(error == IllegalValue::Segment && ["", ".", ".."].contains(&whole.as_str()), "{whole:?}");
            }
            Ok(()) => {
                builder.literal_path("lines");
                // As the one who receives it would read it.
                let url = base(builder.build().url.as_str());
                prop_assert_eq!((url.host_str(), url.query(), url.fragment()), (Some("erp.internal"), None, None));
                let segments: Vec<&str> = url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 4, "{}", url);
                prop_assert_eq!((segments[0], segments[1], segments[3]), ("v1", "orders", "lines"));
                let decoded = percent_decode_str(segments[2]).decode_utf8().unwrap();
                prop_assert_eq!(decoded.as_ref(), format!("{value}{suffix}"));
            }
        }
    }

    #[test]
    fn a_value_never_leaves_its_query_pair(value in any_value(), name in any_value()) {
        let mut builder = RequestBuilder::new(Method::GET, &base("https://erp.internal/?a=1"));
        builder.query(&name, &value);
        builder.query("z", "2");
        let url = base(builder.build().url.as_str());
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        prop_assert_eq!(pairs, [pair("a", "1"), pair(&name, &value), pair("z", "2")]);
        prop_assert_eq!(url.path(), "/");
    }

    #[test]
    fn a_value_never_leaves_its_header(value in any_value()) {
        let mut builder = RequestBuilder::new(Method::GET, &base("https://erp.internal/"));
        let accepted = builder.header("x-a", &value).is_ok();
        prop_assert_eq!(accepted, !value.chars().any(|c| c != '\t' && c.is_ascii_control()));
        prop_assert!(builder.build().headers.len() <= 1);
    }
}
