//! Faults of the configuration, each at its place and with a way to mend it.

use super::*;
use crate::http::check;

fn faults(tool: HttpToolSettings) -> Vec<(String, String)> {
    let credential = Credential::Fixed(vec![Presentation {
        place: Place::Header(http::header::AUTHORIZATION),
        value: Secret::new("Bearer x".into()),
    }]);
    let faults = check(&settings(tool, credential));
    faults.into_iter().map(|fault| (fault.path.join("."), fault.message)).collect()
}

fn get(url: &str) -> RequestSettings {
    RequestSettings::new("GET", url)
}

#[test]
fn each_fault_is_named_at_its_place() {
    let string = || json!({"type": "string"});
    let with_header = |name: &str, value: &str| {
        let mut request = get("https://erp.internal/");
        request.headers = vec![(name.into(), Secret::new(value.into()))];
        request
    };
    let with_query = |value: Value| {
        let mut request = get("https://erp.internal/");
        request.query = vec![("q".into(), value)];
        request
    };
    for (request, parameters, path, words) in [
        (RequestSettings::new("get", "https://erp.internal/"), vec![], "request.method", "`get` is not a method"),
        (get("erp.internal/orders"), vec![], "request.url", "not an absolute"),
        (get("ftp://erp.internal/"), vec![], "request.url", "not an absolute"),
        (get("https://"), vec![], "request.url", "not a URL"),
        (get("https://a:b@erp.internal/"), vec![], "request.url", "ends up in logs"),
        (get("https://{host}/"), vec![("host", string())], "request.url", "cannot choose the host"),
        (get("https://erp.internal:{port}/"), vec![], "request.url", "cannot choose the host"),
        (get("https://erp.internal/{id"), vec![], "request.url", "no placeholder"),
        (get("https://erp.internal/{id}"), vec![], "request.url", "there is no parameters.id"),
        (get("https://erp.internal/?a={id}"), vec![], "request.url", "there is no parameters.id"),
        (get("https://erp.internal/{id}"), vec![("id?", string())], "request.url", "no place for a missing value"),
        (
            get("https://erp.internal/{id}"),
            vec![("id", json!({"type": "array"}))],
            "request.url",
            "a list or an object",
        ),
        (get("https://erp.internal/"), vec![("id", string())], "parameters.id", "does not use {id}"),
        (
            get("https://erp.internal/{id}"),
            vec![("id", json!({"type": "strin"}))],
            "parameters.id",
            "not a JSON Schema",
        ),
        (with_header("X A", "b"), vec![], "request.headers.X A", "not a header's name"),
        (with_header("Host", "b"), vec![], "request.headers.Host", "written by Bridgehead"),
        (with_header("authorization", "b"), vec![], "request.headers.authorization", "`credential` sets this header"),
        (with_header("X-A", "b\nc"), vec![], "request.headers.X-A", "line break"),
        (with_header("X-A", "s3cret}"), vec![], "request.headers.X-A", "no placeholder"),
        (with_query(json!("{q}")), vec![("q", json!({"type": "object"}))], "request.query.q", "a list or an object"),
        (with_query(json!("x{q}")), vec![("q", json!({"type": "array"}))], "request.query.q", "a list or an object"),
        (with_query(json!({"a": 1})), vec![], "request.query.q", "a table"),
    ] {
        let found = faults(tool(request.clone(), &parameters));
        assert_eq!(found.len(), 1, "{words}: {found:?}");
        assert_eq!(found[0].0, format!("tools.tool.{path}"), "{found:?}");
        assert!(found[0].1.contains(words) && !found[0].1.contains("s3cret"), "{words}: {found:?}");
    }
}

#[test]
fn an_effect_can_only_be_raised() {
    for (method, configured, expected) in [
        ("GET", None, Some(Effect::Read)),
        ("GET", Some(Effect::Destructive), Some(Effect::Destructive)),
        ("POST", None, Some(Effect::Write)),
        ("POST", Some(Effect::Read), None),
        ("PUT", None, Some(Effect::Destructive)),
        ("PATCH", Some(Effect::Write), None),
        ("DELETE", None, Some(Effect::Destructive)),
    ] {
        let mut tool = tool(RequestSettings::new(method, "https://erp.internal/"), &[]);
        tool.effect = configured;
        match expected {
            Some(effect) => assert_eq!(source(tool).tools()[0].effect, effect, "{method}"),
            None => assert_eq!(faults(tool)[0].0, "tools.tool.effect", "{method}"),
        }
    }
}

#[test]
fn all_faults_are_found_at_once() {
    let mut broken =
        tool(RequestSettings::new("FETCH", "nowhere"), &[("a", json!({"type": "integer", "default": "x"}))]);
    broken.scope = Some("a\"b".into());
    broken.output = Some(json!({"type": "nothing"}).as_object().unwrap().clone());
    let mut settings = settings(broken.clone(), Credential::None);
    settings.tools.push(broken);
    let found: Vec<String> = check(&settings).into_iter().map(|fault| fault.path[2..].join(".")).collect();
    let of_one = ["parameters.a.default", "request.method", "request.url", "scope", "output"];
    let expected: Vec<&str> = of_one.into_iter().chain([""]).chain(of_one).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_described_answer_is_published_relaxed() {
    let upstream = Upstream::answers("200 OK", "content-type: application/json", "[{\"id\":null}]");
    let mut tool = tool(RequestSettings::new("GET", upstream.url("/")), &[]);
    tool.output = json!({"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}})
        .as_object()
        .cloned();
    let source = source(tool);
    let schema = source.tools().remove(0).output_schema.unwrap();
    assert_eq!(
        schema["properties"]["result"]["items"]["properties"]["id"]["type"],
        json!(["integer", "null", "string"])
    );
    let result = Value::Object(run(&source, json!({})).await.unwrap());
    assert_eq!(result, json!({"result": [{"id": null}]}));
    assert!(bridgehead_core::schema::Schema::compile(&schema).unwrap().accepts(&result));
}

#[tokio::test]
async fn a_page_is_an_answer_where_one_was_asked_for() {
    let mut upstream = Upstream::answers("200 OK", "content-type: text/html", "<p>hi");
    let mut request = RequestSettings::new("GET", upstream.url("/"));
    request.headers = vec![("Accept".into(), Secret::new("text/html".into()))];
    let result = run(&source(tool(request, &[])), json!({})).await.unwrap();
    assert_eq!(Value::Object(result), json!({"text": "<p>hi"}));
    assert!(upstream.seen().await.contains("\r\naccept: text/html\r\n"));
}
