//! The metadata of the endpoint (RFC 9728): where it is, and what it says.

use serde_json::{Map, Value};
use url::Url;

use super::{
    address::{self, Addresses},
    challenge::Anonymous,
    well_known::{self, Found, Place},
};
use crate::{Area, Check, Profile, visit::Visit};

/// It is there.
pub(super) const PRM_FOUND: Check = Check {
    id: "prm-found",
    area: Area::Access,
    title: "The metadata of the endpoint is where the challenge says",
    why: "It names the authorization server. A client that does not get it cannot send anybody to sign in.",
    standard: "RFC 9728 §3.1, MCP 2025-11-25, Authorization, \"Authorization Server Location\"",
    mend: "Serve the document at the URL that the challenge names: /.well-known/oauth-protected-resource with the path \
           of the endpoint behind it.",
};

/// Where clients look that do not read the challenge.
pub(super) const PRM_PLACES: Check = Check {
    id: "prm-places",
    area: Area::Access,
    title: "The metadata of the endpoint is found without the challenge as well, and is the same",
    why: "Clients that do not read the challenge look at /.well-known/oauth-protected-resource with the endpoint's \
          path behind it; ChatGPT also at the bare name.",
    standard: "RFC 9728 §3.1, MCP 2025-11-25, Authorization, \"Protected Resource Metadata Discovery Requirements\"",
    mend: "Serve the same document at /.well-known/oauth-protected-resource/PATH, and at \
           /.well-known/oauth-protected-resource.",
};

/// The URL that was typed.
pub(super) const PRM_RESOURCE: Check = Check {
    id: "prm-resource",
    area: Area::Access,
    title: "`resource` is the URL that teammates type",
    why: "A client may not use metadata of another resource. VS Code compares the text, slash at the end and all; \
          others accept a parent of the URL and nothing else.",
    standard: "RFC 9728 §3.3",
    mend: "Set `resource` to exactly the URL of the endpoint that is handed out, and hand out exactly that one: with or \
           without a slash at the end, the same scheme, host and port.",
};

/// Who signs people in.
pub(super) const PRM_AUTHORIZATION_SERVERS: Check = Check {
    id: "prm-authorization-servers",
    area: Area::Access,
    title: "`authorization_servers` names an authorization server",
    why: "Without one a client does not know where to sign people in.",
    standard: "RFC 9728 §2, MCP 2025-11-25, Authorization, \"Authorization Server Location\"",
    mend: "List the issuer identifier of the authorization server, exactly as its own metadata has it.",
};

/// One of them.
pub(super) const PRM_ONE_SERVER: Check = Check {
    id: "prm-one-server",
    area: Area::Access,
    title: "There is one authorization server to choose",
    why: "Clients take the first of several without asking; which one is whose can change with every release.",
    standard: "RFC 9728 §7.6",
    mend: "Name the one that teammates are to use, or make sure that each of them gives tokens for this endpoint.",
};

/// In the header.
pub(super) const PRM_BEARER_METHODS: Check = Check {
    id: "prm-bearer-methods",
    area: Area::Access,
    title: "Tokens travel in the header, and only there",
    why: "MCP clients send tokens in Authorization alone. A token in a URL ends in logs and histories.",
    standard: "RFC 9728 §2, RFC 6750 §2, MCP 2025-11-25, Authorization, \"Token Requirements\"",
    mend: "Set bearer_methods_supported to [\"header\"].",
};

/// No such scope at a resource.
pub(super) const SCOPES_OFFLINE_ACCESS: Check = Check {
    id: "scopes-offline-access",
    area: Area::Access,
    title: "`offline_access` is no scope of the endpoint",
    why: "It is a wish to the authorization server, not a right at the endpoint. Some providers refuse a request that \
          has it beside the scopes of an API.",
    standard: "MCP SEP-2207, \"Refresh Tokens\"",
    mend: "Remove offline_access from scopes_supported of the endpoint's metadata and from the challenge; leave it in \
           the metadata of the authorization server.",
};

const NAME: &str = "oauth-protected-resource";

/// The places where clients look for the metadata of an endpoint.
#[derive(Debug)]
pub(super) struct Places {
    named: Option<Place>,
    inserted: Place,
    root: Option<Place>,
}

impl Places {
    pub(super) fn all(&self) -> impl Iterator<Item = &Place> {
        self.named.iter().chain([&self.inserted]).chain(&self.root)
    }

    /// Whether there is a document anywhere.
    pub(super) fn has_document(&self) -> bool {
        self.all().any(|place| place.document().is_some())
    }

    /// Where a client finds it first: where the challenge says, else behind the name, else at the root.
    fn first(&self) -> &Place {
        let at_root = self.root.as_ref().filter(|root| root.document().is_some());
        let at_root = at_root.filter(|_| matches!(self.inserted.found, Found::Nothing(_)));
        self.named.as_ref().or(at_root).unwrap_or(&self.inserted)
    }
}

/// The URL of a well-known document with this path inserted (RFC 8615, RFC 9728 §3.1, RFC 8414 §3.1).
pub(super) fn inserted(base: &Url, name: &str, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.set_path(&format!("/.well-known/{name}{}", path.trim_end_matches('/')));
    url
}

/// Looks where clients look.
pub(super) async fn look(visit: &mut Visit<'_>, endpoint: &Url, anonymous: &Anonymous) -> Places {
    let at_path = inserted(endpoint, NAME, endpoint.path());
    let at_root = inserted(endpoint, NAME, "");
    let named = anonymous.resource_metadata().and_then(|raw| Url::parse(raw).ok());
    // What is of another origin, or of the inside, is told where the challenge is judged, and not visited.
    let named = named.filter(|url| *url != at_path && url.origin() == endpoint.origin());
    let named = match named {
        Some(url) => Some(well_known::look(visit, url).await),
        None => None,
    };
    let inserted = well_known::look(visit, at_path.clone()).await;
    let root = match at_root == at_path {
        true => None,
        false => Some(well_known::look(visit, at_root).await),
    };
    Places { named, inserted, root }
}

/// What the metadata says that later steps need.
#[derive(Debug)]
pub(super) struct Resource {
    /// What tokens are asked for.
    pub(super) identifier: String,
    /// The issuer identifier that counts.
    pub(super) issuer: String,
    /// All scopes, where they are named.
    pub(super) scopes: Option<String>,
}

/// Judges the metadata. Where there is none, clients of an older revision look for an authorization server at
/// the endpoint's own origin, and so does what follows.
pub(super) fn judge(
    visit: &mut Visit<'_>,
    endpoint: &Url,
    places: &Places,
    scope: Option<&str>,
    addresses: &mut Addresses,
) -> Resource {
    judge_places(visit, places);
    let place = Some(places.first()).filter(|place| place.document().is_some());
    let place = place.or_else(|| places.all().find(|place| place.document().is_some()));
    let origin = endpoint.origin().ascii_serialization();
    let Some((place, document)) = place.and_then(|place| place.document().map(|document| (place, document))) else {
        for check in
            [&PRM_RESOURCE, &PRM_AUTHORIZATION_SERVERS, &PRM_ONE_SERVER, &PRM_BEARER_METHODS, &SCOPES_OFFLINE_ACCESS]
        {
            visit.skipped(check, "there is no metadata of the endpoint");
        }
        return Resource { identifier: endpoint.to_string(), issuer: origin, scopes: None };
    };
    judge_resource(visit, endpoint, place, document, addresses);
    judge_methods(visit, place, document);
    let scopes = texts(document, "scopes_supported");
    judge_scopes(visit, place, &scopes, scope);
    let issuer = judge_servers(visit, place, document, addresses);
    Resource {
        identifier: endpoint.to_string(),
        issuer: issuer.unwrap_or(origin),
        scopes: (!scopes.is_empty()).then(|| scopes.join(" ")),
    }
}

/// The texts of a member that is a list of them.
pub(super) fn texts(document: &Map<String, Value>, member: &str) -> Vec<String> {
    let elements = document.get(member).and_then(Value::as_array).into_iter().flatten();
    elements.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn judge_places(visit: &mut Visit<'_>, places: &Places) {
    let first = places.first();
    match &first.found {
        Found::Document(_) => visit.passed(&PRM_FOUND, first.url.to_string()),
        Found::Nothing(_) => visit.failed(&PRM_FOUND, format!("{}.", first.shown()), [first.exchange]),
        _ => visit.skipped(&PRM_FOUND, "another check tells what is at its place"),
    }
    let Some(document) = first.document() else {
        visit.skipped(&PRM_PLACES, "it is not where clients look first");
        return;
    };
    let wanted_at_root = visit.target().profile == Profile::ChatGpt;
    let others = [Some(&places.inserted), places.root.as_ref().filter(|_| wanted_at_root)];
    for place in others.into_iter().flatten() {
        let seen = match &place.found {
            Found::Document(other) => differing(document, other, &["resource", "authorization_servers"])
                .map(|member| format!("{} has another `{member}` than {}.", place.url, first.url)),
            Found::Nothing(_) => Some(format!("{}.", place.shown())),
            _ => None,
        };
        if let Some(seen) = seen {
            visit.warning(&PRM_PLACES, seen, [first.exchange, place.exchange]);
            return;
        }
    }
    visit.passed(&PRM_PLACES, None);
}

/// The first of these members in which two documents differ.
pub(super) fn differing<'m>(
    one: &Map<String, Value>,
    other: &Map<String, Value>,
    members: &[&'m str],
) -> Option<&'m str> {
    members.iter().copied().find(|member| one.get(*member) != other.get(*member))
}

fn judge_resource(
    visit: &mut Visit<'_>,
    endpoint: &Url,
    place: &Place,
    document: &Map<String, Value>,
    addresses: &mut Addresses,
) {
    let Some(raw) = document.get("resource").and_then(Value::as_str) else {
        visit.failed(&PRM_RESOURCE, "The metadata has no `resource`.", [place.exchange]);
        return;
    };
    if addresses.is_inside("resource of the metadata", raw, place.exchange) {
        visit.skipped(&PRM_RESOURCE, "its address is one of the inside");
        return;
    }
    let seen = format!("`resource` is {raw}, and {endpoint} was typed.");
    match Url::parse(raw) {
        // A bare origin has a slash for those who parse it, and has none as most people write it.
        Ok(url) if url == *endpoint => visit.passed(&PRM_RESOURCE, raw.to_owned()),
        Ok(url) if is_parent(&url, endpoint) => visit.warning(&PRM_RESOURCE, seen, [place.exchange]),
        _ => visit.failed(&PRM_RESOURCE, seen, [place.exchange]),
    }
}

/// Whether the one is the other without its last segments, or differs by a slash at the end.
fn is_parent(parent: &Url, url: &Url) -> bool {
    let with_slash = |url: &Url| format!("{}/", url.path().trim_end_matches('/'));
    parent.origin() == url.origin() && with_slash(url).starts_with(&with_slash(parent))
}

fn judge_methods(visit: &mut Visit<'_>, place: &Place, document: &Map<String, Value>) {
    let methods = texts(document, "bearer_methods_supported");
    let named = document.contains_key("bearer_methods_supported");
    if named && methods != ["header"] {
        let seen = format!("bearer_methods_supported names {}.", quoted(&methods));
        visit.warning(&PRM_BEARER_METHODS, seen, [place.exchange]);
    } else {
        visit.passed(&PRM_BEARER_METHODS, (!named).then(|| "left out".to_owned()));
    }
}

fn quoted(texts: &[String]) -> String {
    if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
}

fn judge_scopes(visit: &mut Visit<'_>, place: &Place, scopes: &[String], challenged: Option<&str>) {
    let in_challenge =
        challenged.is_some_and(|scope| scope.split_ascii_whitespace().any(|one| one == "offline_access"));
    if in_challenge {
        visit.warning(&SCOPES_OFFLINE_ACCESS, "The challenge names offline_access.", [place.exchange]);
    } else if scopes.iter().any(|scope| scope == "offline_access") {
        visit.warning(&SCOPES_OFFLINE_ACCESS, "scopes_supported names offline_access.", [place.exchange]);
    } else {
        visit.passed(&SCOPES_OFFLINE_ACCESS, (!scopes.is_empty()).then(|| scopes.join(" ")));
    }
}

/// The first authorization server that is of use.
fn judge_servers(
    visit: &mut Visit<'_>,
    place: &Place,
    document: &Map<String, Value>,
    addresses: &mut Addresses,
) -> Option<String> {
    let servers = texts(document, "authorization_servers");
    let Some(first) = servers.first() else {
        visit.failed(&PRM_AUTHORIZATION_SERVERS, "authorization_servers names none.", [place.exchange]);
        visit.skipped(&PRM_ONE_SERVER, "there is none");
        return None;
    };
    if servers.len() > 1 {
        let seen = format!("authorization_servers names {}; clients take the first.", servers.join(", "));
        visit.warning(&PRM_ONE_SERVER, seen, [place.exchange]);
    } else {
        visit.passed(&PRM_ONE_SERVER, None);
    }
    if addresses.is_inside("authorization_servers of the metadata", first, place.exchange) {
        visit.skipped(&PRM_AUTHORIZATION_SERVERS, "its address is one of the inside");
        return None;
    }
    // RFC 8414 §2: https, without query and fragment; on one's own machine plain http has to do.
    let usable = |url: &Url| {
        (url.scheme() == "https" || address::is_local(url)) && url.query().is_none() && url.fragment().is_none()
    };
    match Url::parse(first) {
        Ok(url) if usable(&url) => {
            visit.passed(&PRM_AUTHORIZATION_SERVERS, first.clone());
            Some(first.clone())
        }
        _ => {
            let seen = format!("authorization_servers names {first}, which is no issuer identifier: an https URL.");
            visit.failed(&PRM_AUTHORIZATION_SERVERS, seen, [place.exchange]);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// RFC 9728 §3.1, with the examples there.
    #[test]
    fn the_path_goes_behind_the_name() {
        let rows = [
            ("https://resource.example.com", "https://resource.example.com/.well-known/oauth-protected-resource"),
            (
                "https://resource.example.com/resource1",
                "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
            ),
            ("https://x.example/mcp/?a=b", "https://x.example/.well-known/oauth-protected-resource/mcp"),
        ];
        for (endpoint, expected) in rows {
            assert_eq!(inserted(&url(endpoint), NAME, url(endpoint).path()).as_str(), expected);
        }
    }

    #[test]
    fn a_parent_is_the_same_without_its_end() {
        let rows = [
            ("https://x.example/mcp/", "https://x.example/mcp", true),
            ("https://x.example", "https://x.example/mcp", true),
            ("https://x.example/m", "https://x.example/mcp", false),
            ("https://x.example/mcp/a", "https://x.example/mcp", false),
            ("https://y.example/mcp", "https://x.example/mcp", false),
            ("http://x.example/mcp", "https://x.example/mcp", false),
        ];
        for (parent, endpoint, expected) in rows {
            assert_eq!(is_parent(&url(parent), &url(endpoint)), expected, "{parent} {endpoint}");
        }
    }
}
