//! What an answer says of itself: whether it is JSON, and how long it may be kept.

use std::time::Duration;

use bridgehead_core::Fetched;

/// Whether it says that it is JSON (RFC 8259, RFC 6839 §3.1).
pub(crate) fn is_json(fetched: &Fetched) -> bool {
    let Some(kind) = fetched.content_type.as_deref() else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// `max-age` (RFC 9111 §5.2.2.1); nothing where it may not be kept at all, `None` where it does not
/// say.
pub(crate) fn max_age(cache_control: &str) -> Option<Duration> {
    let mut directives = cache_control.split(',').map(|directive| directive.trim().to_ascii_lowercase());
    directives.find_map(|directive| match directive.as_str() {
        "no-store" | "no-cache" => Some(Duration::ZERO),
        other => other.strip_prefix("max-age=")?.trim_matches('"').parse().ok().map(Duration::from_secs),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_type() {
        let fetched = |kind: Option<&str>| Fetched {
            status: 200,
            content_type: kind.map(str::to_owned),
            cache_control: None,
            body: vec![],
        };
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/client-metadata+json"] {
            assert!(is_json(&fetched(Some(kind))), "{kind}");
        }
        for kind in [None, Some("text/html"), Some("text/json"), Some("application/jsonp"), Some("")] {
            assert!(!is_json(&fetched(kind)), "{kind:?}");
        }
    }
}
