//! The metadata of the authorization server (RFC 8414): where it is, and what it says.

use serde_json::{Map, Value};
use url::Url;

use super::{
    address::{self, Addresses},
    resource::{differing, inserted, texts},
    well_known::{self, Found, Place},
};
use crate::{Area, Check, Profile, visit::Visit};

/// It is there.
pub(super) const AS_METADATA_FOUND: Check = Check {
    id: "as-metadata-found",
    area: Area::Access,
    title: "The authorization server has metadata",
    why: "It names where to sign in and where to get tokens. Some clients guess where it is missing, most give up.",
    standard: "RFC 8414 §3, MCP 2025-11-25, Authorization, \"Authorization Server Metadata Discovery\"",
    mend: "Serve the document at /.well-known/oauth-authorization-server on the issuer's host, with the issuer's path \
           behind it.",
};

/// Under its own name.
pub(super) const AS_METADATA_PLACES: Check = Check {
    id: "as-metadata-places",
    area: Area::Access,
    title: "The metadata of the authorization server is under the name that OAuth has for it",
    why: "Clients of the revision 2025-06-18 and before look there alone, and not under the name of OpenID Connect.",
    standard: "RFC 8414 §3, MCP 2025-06-18, Authorization, \"Server Metadata Discovery\"",
    mend: "Serve the document at /.well-known/oauth-authorization-server as well as at \
           /.well-known/openid-configuration.",
};

/// The same everywhere.
pub(super) const AS_METADATA_SAME: Check = Check {
    id: "as-metadata-same",
    area: Area::Access,
    title: "The metadata of the authorization server is the same wherever it is found",
    why: "Which document a client reads depends on its make, so that it works for one teammate and not for another.",
    standard: "RFC 8414 §5",
    mend: "Serve one document at all of its places. An old copy may be left in a cache or a static file.",
};

/// Its own name.
pub(super) const AS_METADATA_ISSUER: Check = Check {
    id: "as-metadata-issuer",
    area: Area::Access,
    title: "`issuer` is what the endpoint's metadata names",
    why: "A client may not use metadata of another issuer: that is how codes are stolen. It compares the text, slash \
          at the end and all.",
    standard: "RFC 8414 §3.3",
    mend: "Write the same text into `issuer` of the authorization server and into `authorization_servers` of the \
           endpoint.",
};

/// What a flow needs.
pub(super) const AS_ENDPOINTS: Check = Check {
    id: "as-endpoints",
    area: Area::Access,
    title: "The authorization server's endpoints are absolute https URLs",
    why: "Clients do not complete a relative URL, and send codes and tokens over https alone.",
    standard: "RFC 8414 §2",
    mend: "Name authorization_endpoint and token_endpoint, and every other endpoint that there is, with scheme and host.",
};

/// The flow that clients use.
pub(super) const AS_RESPONSE_TYPES: Check = Check {
    id: "as-response-types",
    area: Area::Access,
    title: "`response_types_supported` names code",
    why: "The authorization code flow is the only one that MCP clients use; the list is required, and several clients \
          refuse a document without it.",
    standard: "RFC 8414 §2",
    mend: "Set response_types_supported to [\"code\"].",
};

/// How codes are protected.
pub(super) const AS_PKCE: Check = Check {
    id: "as-pkce",
    area: Area::Access,
    title: "`code_challenge_methods_supported` names S256",
    why: "Clients of MCP refuse to go on where the metadata does not say that codes are protected.",
    standard: "RFC 8414 §2, MCP 2025-11-25, Authorization, \"Authorization Code Protection\"",
    mend: "Set code_challenge_methods_supported to [\"S256\"]; where the authorization server knows PKCE and does not \
           say so, a proxy can add it to the document.",
};

/// How access goes on.
pub(super) const AS_GRANT_TYPES: Check = Check {
    id: "as-grant-types",
    area: Area::Access,
    title: "`grant_types_supported` names authorization_code and refresh_token",
    why: "Without refresh tokens teammates have to sign in again whenever an access token expires, within minutes or \
          hours.",
    standard: "RFC 8414 §2",
    mend: "Set grant_types_supported to [\"authorization_code\", \"refresh_token\"], and issue refresh tokens.",
};

/// How clients prove who they are.
pub(super) const AS_AUTH_METHODS: Check = Check {
    id: "as-auth-methods",
    area: Area::Access,
    title: "Clients can prove who they are in a way that they know",
    why: "Platforms send no secret, or one in the body or by Basic. Claude sends it in the body, also where only Basic \
          is offered.",
    standard: "RFC 8414 §2",
    mend: "Name none, client_secret_basic and client_secret_post in token_endpoint_auth_methods_supported, and take \
           all of them.",
};

/// Against mix-up.
pub(super) const AS_ISS_PARAMETER: Check = Check {
    id: "as-iss-parameter",
    area: Area::Access,
    title: "Answers of the authorization endpoint name the issuer",
    why: "A client with several authorization servers cannot tell whose code it holds (mix-up). No client insists on \
          `iss` where it is not promised; MCP 2026-07-28 says that the next revisions will.",
    standard: "RFC 9207 §2.3, §3, MCP 2026-07-28, Authorization, \"Authorization Response Validation\"",
    mend: "Add `iss` to every answer of the authorization endpoint and authorization_response_iss_parameter_supported: \
           true to the metadata.",
};

/// Clients that are a document.
pub(super) const AS_CIMD: Check = Check {
    id: "as-cimd",
    area: Area::Access,
    title: "Client metadata documents are offered together with `none`",
    why: "Claude uses its metadata document only where client_id_metadata_document_supported is true and `none` is among \
          token_endpoint_auth_methods_supported; else it registers without a word.",
    standard: "OAuth Client ID Metadata Document (draft) §5",
    mend: "Add none to token_endpoint_auth_methods_supported.",
};

/// How a client becomes known.
pub(super) const AS_REGISTRATION: Check = Check {
    id: "as-registration",
    area: Area::Access,
    title: "It is known how a client becomes known",
    why: "A platform registers by itself, shows a document of its own, or somebody enters a client id.",
    standard: "MCP 2025-11-25, Authorization, \"Client Registration Approaches\"",
    mend: "Offer registration_endpoint, or register the platform by hand: its redirect URI at the authorization server, \
           the client id (and secret) in the platform.",
};

const OAUTH: &str = "oauth-authorization-server";
const OPENID: &str = "openid-configuration";

/// An authorization server, as far as it can be used.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Its name for itself.
    pub(super) issuer: String,
    /// Where people are sent.
    pub(super) authorization: Url,
    /// Where tokens come from.
    pub(super) token: Url,
    /// Where clients register.
    pub(super) registration: Option<Url>,
    /// Where tokens are revoked, on the origin that they come from.
    pub(super) revocation: Option<Url>,
    /// Where tokens are looked at, on the origin that they come from.
    pub(super) introspection: Option<Url>,
    /// How clients may prove who they are.
    pub(super) auth_methods: Vec<String>,
    /// Whether a metadata document is taken for a client.
    pub(super) takes_documents: bool,
    /// Whether its answers name it.
    pub(super) names_itself: bool,
    /// The scopes that it names.
    pub(super) scopes: Vec<String>,
}

/// Places of the metadata of one issuer.
#[derive(Debug)]
pub(super) struct Places {
    places: Vec<Place>,
    /// Those that are not the issuer's by the standard, and that clients try.
    others: Vec<Place>,
}

impl Places {
    pub(super) fn all(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().chain(&self.others)
    }
}

/// Looks where clients look.
pub(super) async fn look(visit: &mut Visit<'_>, endpoint: &Url, issuer: &str) -> Places {
    let mut found = Places { places: Vec::new(), others: Vec::new() };
    let Ok(base) = Url::parse(issuer) else { return found };
    let path = base.path().trim_end_matches('/').to_owned();
    let mut urls = vec![inserted(&base, OAUTH, &path), inserted(&base, OPENID, &path)];
    if !path.is_empty() {
        let mut appended = inserted(&base, OPENID, "");
        appended.set_path(&format!("{path}/.well-known/{OPENID}"));
        urls.push(appended);
    }
    for url in urls {
        found.places.push(well_known::look(visit, url).await);
    }
    // ChatGPT and older clients put the endpoint's path where the issuer's belongs.
    if base.origin() == endpoint.origin() && path.is_empty() && endpoint.path() != "/" {
        found.others.push(well_known::look(visit, inserted(endpoint, OAUTH, endpoint.path())).await);
    }
    found
}

/// Judges the metadata; the server as far as a client could use it.
pub(super) fn judge(visit: &mut Visit<'_>, issuer: &str, places: &Places, addresses: &mut Addresses) -> Option<Server> {
    let Some(first) = places.places.iter().find(|place| place.document().is_some()) else {
        let shown: Vec<_> = places.places.iter().map(Place::shown).collect();
        if places.places.iter().any(Place::is_told) {
            visit.skipped(&AS_METADATA_FOUND, "another check tells what is at its places");
        } else {
            let exchanges: Vec<_> = places.places.iter().map(|place| place.exchange).collect();
            visit.failed(&AS_METADATA_FOUND, format!("{}.", shown.join("; ")), exchanges);
        }
        return None;
    };
    visit.passed(&AS_METADATA_FOUND, first.url.to_string());
    let document = first.document()?;
    judge_places(visit, places, first, document);
    judge_issuer(visit, issuer, first, document, addresses);
    judge_lists(visit, first, document);
    judge_offers(visit, first, document);
    server(visit, issuer, first, document, addresses)
}

fn judge_places(visit: &mut Visit<'_>, places: &Places, first: &Place, document: &Map<String, Value>) {
    match places.places.first() {
        Some(place) if matches!(place.found, Found::Nothing(_)) => {
            visit.warning(&AS_METADATA_PLACES, format!("{}.", place.shown()), [place.exchange, first.exchange]);
        }
        Some(place) if place.is_told() => visit.skipped(&AS_METADATA_PLACES, "another check tells what is there"),
        _ => visit.passed(&AS_METADATA_PLACES, None),
    }
    const MEMBERS: [&str; 4] = ["issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint"];
    let other = places.all().find_map(|place| {
        let member = differing(document, place.document()?, &MEMBERS)?;
        Some((place, member))
    });
    match other {
        None => visit.passed(&AS_METADATA_SAME, None),
        Some((place, member)) => {
            let seen = format!("{} has another `{member}` than {}.", place.url, first.url);
            visit.warning(&AS_METADATA_SAME, seen, [first.exchange, place.exchange]);
        }
    }
}

fn judge_issuer(
    visit: &mut Visit<'_>,
    asked: &str,
    place: &Place,
    document: &Map<String, Value>,
    addresses: &mut Addresses,
) {
    let issuer = document.get("issuer").and_then(Value::as_str);
    let Some(issuer) = issuer else {
        visit.failed(&AS_METADATA_ISSUER, "The metadata has no `issuer`.", [place.exchange]);
        return;
    };
    if addresses.is_inside("issuer", issuer, place.exchange) {
        visit.skipped(&AS_METADATA_ISSUER, "its address is one of the inside");
        return;
    }
    let seen = format!("`issuer` is {issuer}, and {asked} was asked for its metadata.");
    if issuer == asked {
        visit.passed(&AS_METADATA_ISSUER, issuer.to_owned());
    } else if issuer.trim_end_matches('/') == asked.trim_end_matches('/') {
        visit.warning(&AS_METADATA_ISSUER, seen, [place.exchange]);
    } else {
        visit.failed(&AS_METADATA_ISSUER, seen, [place.exchange]);
    }
}

fn judge_lists(visit: &mut Visit<'_>, place: &Place, document: &Map<String, Value>) {
    let has = |member: &str, value: &str| texts(document, member).iter().any(|one| one == value);
    let shown = |member: &str| {
        document
            .get(member)
            .map_or_else(|| format!("The metadata has no {member}."), |list| format!("{member} is {list}."))
    };
    for (check, member, value) in [
        (&AS_RESPONSE_TYPES, "response_types_supported", "code"),
        (&AS_PKCE, "code_challenge_methods_supported", "S256"),
    ] {
        if has(member, value) {
            visit.passed(check, texts(document, member).join(", "));
        } else {
            visit.failed(check, shown(member), [place.exchange]);
        }
    }
    let grants = "grant_types_supported";
    match (document.contains_key(grants), has(grants, "authorization_code"), has(grants, "refresh_token")) {
        (true, false, _) => visit.failed(&AS_GRANT_TYPES, shown(grants), [place.exchange]),
        (true, true, false) => visit.warning(&AS_GRANT_TYPES, shown(grants), [place.exchange]),
        // Left out means the authorization code flow (RFC 8414 §2), and says nothing of refresh tokens.
        (named, ..) => visit.passed(&AS_GRANT_TYPES, (!named).then(|| "left out".to_owned())),
    }
    let methods = auth_methods(document);
    let known = |method: &&String| matches!(method.as_str(), "none" | "client_secret_basic" | "client_secret_post");
    let only_basic = methods == ["client_secret_basic"] && visit.target().profile == Profile::Claude;
    if !methods.iter().any(|method| known(&method)) {
        visit.failed(&AS_AUTH_METHODS, shown("token_endpoint_auth_methods_supported"), [place.exchange]);
    } else if only_basic {
        visit.warning(&AS_AUTH_METHODS, shown("token_endpoint_auth_methods_supported"), [place.exchange]);
    } else {
        visit.passed(&AS_AUTH_METHODS, methods.join(", "));
    }
}

/// Left out, it is Basic (RFC 8414 §2).
fn auth_methods(document: &Map<String, Value>) -> Vec<String> {
    let member = "token_endpoint_auth_methods_supported";
    if document.contains_key(member) { texts(document, member) } else { vec!["client_secret_basic".to_owned()] }
}

fn is_true(document: &Map<String, Value>, member: &str) -> bool {
    document.get(member).and_then(Value::as_bool) == Some(true)
}

fn judge_offers(visit: &mut Visit<'_>, place: &Place, document: &Map<String, Value>) {
    if is_true(document, "authorization_response_iss_parameter_supported") {
        visit.passed(&AS_ISS_PARAMETER, None);
    } else {
        let seen = "The metadata has no authorization_response_iss_parameter_supported: true.";
        visit.warning(&AS_ISS_PARAMETER, seen, [place.exchange]);
    }
    let documents = is_true(document, "client_id_metadata_document_supported");
    if !documents {
        visit.skipped(&AS_CIMD, "client metadata documents are not offered");
    } else if auth_methods(document).iter().any(|method| method == "none") {
        visit.passed(&AS_CIMD, None);
    } else {
        let seen = "client_id_metadata_document_supported is true, and `none` is no token_endpoint_auth_method.";
        visit.warning(&AS_CIMD, seen, [place.exchange]);
    }
    let profile = visit.target().profile;
    let redirect_uri = profile.redirect_uri().unwrap_or("the client's own");
    let by_hand = format!(
        "nobody can register by himself: register {redirect_uri} as a redirect URI at the authorization server, and enter the client id"
    );
    let seen = match (document.contains_key("registration_endpoint"), documents) {
        (true, true) => "by itself, or by a metadata document".to_owned(),
        (true, false) => "by itself".to_owned(),
        (false, true) => format!("by a metadata document; for others: {by_hand}"),
        (false, false) => by_hand,
    };
    match document.get("registration_endpoint") {
        Some(Value::String(_)) | None => visit.passed(&AS_REGISTRATION, seen),
        Some(other) => {
            visit.failed(
                &AS_REGISTRATION,
                format!("registration_endpoint is {other}, which is no URL."),
                [place.exchange],
            );
        }
    }
}

fn server(
    visit: &mut Visit<'_>,
    issuer: &str,
    place: &Place,
    document: &Map<String, Value>,
    addresses: &mut Addresses,
) -> Option<Server> {
    let mut wrong = Vec::new();
    let mut told = false;
    let mut endpoint = |member: &str, required: bool| -> Option<Url> {
        let Some(value) = document.get(member) else {
            if required {
                wrong.push(format!("there is no {member}"));
            }
            return None;
        };
        let raw = value.as_str()?;
        if addresses.is_inside(member, raw, place.exchange) {
            told = true;
            return None;
        }
        let url = Url::parse(raw)
            .ok()
            .filter(|url| url.scheme() == "https" || address::is_loopback(url) && url.scheme() == "http");
        if url.is_none() {
            wrong.push(format!("{member} is {raw}"));
        }
        url
    };
    let authorization = endpoint("authorization_endpoint", true);
    let token = endpoint("token_endpoint", true);
    let registration = endpoint("registration_endpoint", false);
    let revocation = endpoint("revocation_endpoint", false);
    let introspection = endpoint("introspection_endpoint", false);
    if !wrong.is_empty() {
        visit.failed(&AS_ENDPOINTS, format!("In the metadata {}.", wrong.join(", ")), [place.exchange]);
    } else if told {
        visit.skipped(&AS_ENDPOINTS, "an address is one of the inside");
    } else {
        visit.passed(&AS_ENDPOINTS, None);
    }
    let token = token?;
    // Tokens go nowhere but to whoever gave them.
    let of_tokens = |url: &Url| url.origin() == token.origin();
    Some(Server {
        issuer: issuer.to_owned(),
        authorization: authorization?,
        registration,
        revocation: revocation.filter(of_tokens),
        introspection: introspection.filter(of_tokens),
        token,
        auth_methods: auth_methods(document),
        takes_documents: is_true(document, "client_id_metadata_document_supported"),
        names_itself: is_true(document, "authorization_response_iss_parameter_supported"),
        scopes: texts(document, "scopes_supported"),
    })
}
