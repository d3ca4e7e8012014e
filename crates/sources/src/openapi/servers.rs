//! Where an operation's requests go: the operator's base URL, else the first server of the
//! operation, of its path, or of the description (OpenAPI 3.1 §4.8.5).

use serde_json::Value;
use url::Url;

use super::document::Document;

/// The base URL of one operation; every path is added to it.
///
/// # Errors
/// Why there is none, in words for the operator.
pub(super) fn base(
    configured: Option<&Url>,
    document: &Document,
    path_item: &Value,
    operation: &Value,
) -> Result<Url, String> {
    if let Some(url) = configured {
        return Ok(url.clone());
    }
    let servers = [operation, path_item, document.root()]
        .into_iter()
        .filter_map(|place| place.get("servers").and_then(Value::as_array))
        .find(|servers| !servers.is_empty());
    // Without servers the API is where the description came from.
    let text = match servers.and_then(|servers| servers.first()) {
        Some(server) => filled(server)?,
        None => "/".to_owned(),
    };
    let url = match Url::parse(&text) {
        Ok(url) => url,
        Err(_) => document
            .url()
            .and_then(|own| own.join(&text).ok())
            .ok_or_else(|| format!("its server `{text}` is no absolute URL. Set base_url to where the API is"))?,
    };
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() {
        Ok(url)
    } else {
        Err(format!("its server `{text}` is neither http nor https. Set base_url to where the API is"))
    }
}

/// A server's URL with its variables filled in by their defaults.
fn filled(server: &Value) -> Result<String, String> {
    let url = server.get("url").and_then(Value::as_str).unwrap_or("/").trim();
    let mut text = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        let variable = server.get("variables").and_then(|variables| variables.get(name));
        let value = variable
            .and_then(|variable| {
                variable.get("default").or_else(|| variable.get("enum").and_then(|values| values.get(0)))
            })
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let value = value.ok_or_else(|| {
            format!("its server `{url}` has no default for `{name}`. Set base_url to where the API is")
        })?;
        text.push_str(before);
        text.push_str(&value);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(servers: Value, url: Option<&str>) -> Document {
        let root = json!({"openapi": "3.0.0", "servers": servers});
        Document::of(root, url.map(|url| Url::parse(url).unwrap())).unwrap()
    }

    #[test]
    fn the_nearest_server_counts_and_the_operator_before_all() {
        let root = json!([{"url": "https://root.example/v1"}, {"url": "https://second.example"}]);
        let none = json!({});
        let near = json!({"servers": [{"url": "https://near.example"}]});
        let document = document(root, None);
        let text = |configured: Option<&Url>, item: &Value, operation: &Value| {
            base(configured, &document, item, operation).unwrap().to_string()
        };
        assert_eq!(text(None, &none, &none), "https://root.example/v1");
        assert_eq!(text(None, &near, &none), "https://near.example/");
        assert_eq!(text(None, &none, &near), "https://near.example/");
        let own = Url::parse("https://own.example/api").unwrap();
        assert_eq!(text(Some(&own), &near, &near), "https://own.example/api");
    }

    #[test]
    fn variables_are_filled_and_relative_servers_joined() {
        let none = json!({});
        let server = json!([{"url": "https://{region}.example/{v}", "variables": {"region": {"default": "eu"}, "v": {"enum": [2]}}}]);
        assert_eq!(base(None, &document(server, None), &none, &none).unwrap().as_str(), "https://eu.example/2");
        let relative = json!([{"url": "../v2"}]);
        let fetched = document(relative.clone(), Some("https://x.example/docs/api.yaml"));
        assert_eq!(base(None, &fetched, &none, &none).unwrap().as_str(), "https://x.example/v2");
        let reason = base(None, &document(relative, None), &none, &none).unwrap_err();
        assert!(reason.contains("Set base_url"), "{reason}");
        let open = json!([{"url": "https://{tenant}.example"}]);
        assert!(base(None, &document(open, None), &none, &none).unwrap_err().contains("`tenant`"));
        let odd = json!([{"url": "ftp://x.example"}]);
        assert!(base(None, &document(odd, None), &none, &none).unwrap_err().contains("neither http nor https"));
    }
}
