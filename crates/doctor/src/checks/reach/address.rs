//! The URL by itself, before anything is sent.

use url::{Host, Url};

use crate::{Area, Check, visit::Visit};

/// What a URL of an endpoint is made of.
pub(super) const URL_FORM: Check = Check {
    id: "url-form",
    area: Area::Reach,
    title: "The URL is one that clients take",
    why: "A user name, a password or a fragment in the URL is refused, dropped, or shown in the logs of others. With a \
          fragment, no token can be asked for.",
    standard: "RFC 9110 §4.2.4, RFC 8707 §2, MCP 2025-11-25, Authorization, \"Canonical Server URI\"",
    mend: "Enter scheme, host and path alone, such as https://mcp.example.com/mcp. A key belongs in its own field.",
};

/// `https`.
pub(super) const URL_HTTPS: Check = Check {
    id: "url-https",
    area: Area::Reach,
    title: "The URL begins with https",
    why: "Platforms refuse http, where anybody on the way reads the key or token. Only a server on one's own machine \
          is fine without.",
    standard: "RFC 6750 §5.3, MCP 2025-11-25, Authorization, \"Communication Security\"",
    mend: "Put the server behind a proxy or host that ends TLS with a certificate of a public authority, and give out \
           the https URL.",
};

/// The right path.
pub(super) const URL_PATH: Check = Check {
    id: "url-path",
    area: Area::Reach,
    title: "There is an endpoint at the path of the URL",
    why: "Most servers answer below a path, mostly /mcp. Platforms call exactly what was typed, and say only that the \
          server cannot be reached.",
    standard: "MCP 2025-11-25, Transports, \"Streamable HTTP\"",
    mend: "Enter the URL with the path that the server answers at, and look whether a proxy takes a part of the path \
           away. /sse is the path of an older transport, which platforms no longer call.",
};

/// The URL without what no client sends; `None` where it has no host.
pub(super) fn examine(visit: &mut Visit<'_>) -> Option<Url> {
    let mut url = visit.target().url.clone();
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        let seen = format!("The URL begins with {}:, and not with https://.", url.scheme());
        visit.failed(&URL_FORM, seen, []);
        return None;
    }
    let mut too_much = Vec::new();
    if url.fragment().is_some() {
        too_much.push("a fragment (behind #)");
        url.set_fragment(None);
    }
    if !url.username().is_empty() || url.password().is_some() {
        too_much.push("a user name or password (before @)");
        // Both can be taken away from a URL that has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    if too_much.is_empty() {
        visit.passed(&URL_FORM, None);
    } else {
        visit.failed(&URL_FORM, format!("The URL has {}. The doctor goes on without.", too_much.join(" and ")), []);
    }
    examine_scheme(visit, &url);
    Some(url)
}

fn examine_scheme(visit: &mut Visit<'_>, url: &Url) {
    if url.scheme() == "https" {
        visit.passed(&URL_HTTPS, None);
    } else if visit.target().profile.from_the_internet() {
        visit.failed(&URL_HTTPS, "The URL begins with http://.", []);
    } else if is_loopback(url) {
        visit.passed(&URL_HTTPS, "http, on this machine".to_owned());
    } else {
        visit.warning(&URL_HTTPS, "The URL begins with http://, and leads to another machine.", []);
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Where the endpoint may be instead, the likeliest first.
pub(super) fn guesses(url: &Url) -> Vec<Url> {
    let path = url.path().trim_end_matches('/');
    let candidates = [format!("{}/mcp", path.trim_end_matches("/sse")), format!("{path}/mcp"), "/mcp".to_owned()];
    let mut guesses: Vec<Url> = Vec::new();
    for candidate in candidates {
        let mut guess = url.clone();
        guess.set_path(&candidate);
        if guess.path() != url.path() && !path.ends_with("/mcp") && !guesses.contains(&guess) {
            guesses.push(guess);
        }
    }
    guesses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_endpoint_may_be_instead() {
        let rows: [(&str, &[&str]); 5] = [
            ("https://a.example/", &["https://a.example/mcp"]),
            ("https://a.example/mcp", &[]),
            ("https://a.example/mcp/", &[]),
            ("https://a.example/sse", &["https://a.example/mcp", "https://a.example/sse/mcp"]),
            ("https://a.example/team/", &["https://a.example/team/mcp", "https://a.example/mcp"]),
        ];
        for (url, expected) in rows {
            let guesses = guesses(&url.parse().unwrap());
            assert_eq!(guesses.iter().map(Url::as_str).collect::<Vec<_>>(), expected, "{url}");
        }
    }
}
