//! Documents under `/.well-known/` (RFC 8615): each is fetched as a client fetches it, and what holds for all
//! of them is judged once. What they say is judged by who reads them.

use std::time::Duration;

use bridgehead_outbound::{MaybeSentReason, NotSentReason, Request, SendError};
use http::{HeaderValue, header};
use serde_json::{Map, Value};
use url::Url;

use super::address;
use crate::{
    Area, Check, Profile,
    visit::{NoAnswer, Visit},
};

/// What a client fetches before it has found everything: JSON, or an honest "no".
pub(super) const WELL_KNOWN_JSON: Check = Check {
    id: "well-known-json",
    area: Area::Access,
    title: "Under /.well-known/ there is JSON or a 404",
    why: "Clients try several places in turn and go on after a 404. A page of HTML with status 200 ends the search: \
          the TypeScript SDK, and with it most desktop clients, stop with a parse error.",
    standard: "RFC 9728 §3.2, RFC 8414 §3.2",
    mend: "Answer 404 for every name under /.well-known/ that is not served. A single-page application that answers \
           every path needs an exception for /.well-known/.",
};

/// No errors of the server's own.
pub(super) const WELL_KNOWN_ERRORS: Check = Check {
    id: "well-known-errors",
    area: Area::Access,
    title: "Discovery meets no error of the server",
    why: "After a 4xx a client looks at the next place; after a 5xx, or without an answer, it gives up, also where \
          the next place has the document.",
    standard: "MCP 2025-11-25, Authorization, \"Authorization Server Metadata Discovery\"",
    mend: "Find in the server's or proxy's log why that path fails. What is not served has to be a 404.",
};

/// The media type.
pub(super) const WELL_KNOWN_CONTENT_TYPE: Check = Check {
    id: "well-known-content-type",
    area: Area::Access,
    title: "The metadata documents come as application/json",
    why: "Clients that look at the media type do not read another one.",
    standard: "RFC 9728 §3.2, RFC 8414 §3.2",
    mend: "Set Content-Type: application/json on the documents under /.well-known/. Static file hosts need a rule for \
           files without an extension.",
};

/// Readable by pages.
pub(super) const WELL_KNOWN_CORS: Check = Check {
    id: "well-known-cors",
    area: Area::Access,
    title: "Pages may read the metadata documents",
    why: "Clients that run in a browser, such as MCP Inspector, cannot read the documents and report a network error. \
          Platforms that call from their servers do not care.",
    standard: "RFC 8414 §3.2, Fetch §3.2 (CORS)",
    mend: "Answer with Access-Control-Allow-Origin: * on everything under /.well-known/. There is nothing secret.",
};

/// Soon enough.
pub(super) const DISCOVERY_TIME: Check = Check {
    id: "discovery-time",
    area: Area::Access,
    title: "Discovery is answered in time",
    why: "A platform that waits longer than its patience shows an error when the connection is created.",
    standard: "none: what platforms wait",
    mend: "Serve the documents from memory. A host that sleeps when nobody calls needs a minimum of one instance.",
};

/// What was found at one place.
#[derive(Debug)]
pub(super) enum Found {
    /// An object of JSON.
    Document(Map<String, Value>),
    /// A 4xx, or a redirect that leads nowhere.
    Nothing(u16),
    /// A success that is no object of JSON.
    NotJson,
    /// A 5xx.
    ServerError(u16),
    /// No answer in time.
    TooLate,
    /// No answer.
    NoAnswer(String),
}

/// A place that was looked at.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: Url,
    pub(super) found: Found,
    pub(super) exchange: usize,
    took: Duration,
    media_type: Option<String>,
}

impl Place {
    pub(super) const fn document(&self) -> Option<&Map<String, Value>> {
        if let Found::Document(document) = &self.found { Some(document) } else { None }
    }

    /// Whether what is wrong here is told by a check of this file.
    pub(super) const fn is_told(&self) -> bool {
        !matches!(self.found, Found::Document(_) | Found::Nothing(_))
    }

    /// What was there, in a few words.
    pub(super) fn shown(&self) -> String {
        let what = match &self.found {
            Found::Document(_) => "a document".to_owned(),
            Found::Nothing(status) | Found::ServerError(status) => status.to_string(),
            Found::NotJson => format!("no JSON ({})", self.media_type.as_deref().unwrap_or("of no type")),
            Found::TooLate => "no answer in time".to_owned(),
            Found::NoAnswer(why) => format!("no answer ({why})"),
        };
        format!("{}: {what}", self.url)
    }
}

/// How many redirects are followed: they are not forbidden, and clients follow them.
const REDIRECTS: usize = 2;

/// Looks at a place.
pub(super) async fn look(visit: &mut Visit<'_>, url: Url) -> Place {
    let (mut place, mut to) = look_once(visit, &url).await;
    for _ in 0..REDIRECTS {
        // What asks for an address of the inside would have it shown in the report.
        let Some(at) = to.filter(|to| address::inside(&url, to).is_none()) else { break };
        (place, to) = look_once(visit, &at).await;
    }
    Place { url, ..place }
}

/// What is there, and where it leads.
async fn look_once(visit: &mut Visit<'_>, url: &Url) -> (Place, Option<Url>) {
    let mut request = Request::get(url.clone());
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.max_body_bytes = Some(256 << 10);
    let place = |found, exchange, took, media_type| Place { url: url.clone(), found, exchange, took, media_type };
    let answer = match visit.send(request).await {
        Ok(answer) => answer,
        Err(NoAnswer { error, exchange }) if is_late(&error) => {
            return (place(Found::TooLate, exchange, Duration::ZERO, None), None);
        }
        Err(NoAnswer { error, exchange }) => {
            return (place(Found::NoAnswer(error.to_string()), exchange, Duration::ZERO, None), None);
        }
    };
    let (status, headers) = (answer.received.status, &answer.received.headers);
    let to = headers.get(header::LOCATION).filter(|_| status.is_redirection());
    let to = to.and_then(|to| url.join(to.to_str().ok()?).ok());
    let found = match serde_json::from_slice(&answer.received.body) {
        _ if status.is_server_error() => Found::ServerError(status.as_u16()),
        _ if !status.is_success() => Found::Nothing(status.as_u16()),
        Ok(Value::Object(document)) => Found::Document(document),
        _ => Found::NotJson,
    };
    (place(found, answer.exchange, answer.took, answer.received.media_type()), to)
}

fn is_late(error: &SendError) -> bool {
    match error {
        SendError::NotSent(error) => error.reason == NotSentReason::ConnectTimedOut,
        SendError::MaybeSent(error) => error.reason == MaybeSentReason::TimedOut,
    }
}

/// Judges what holds for all places, and whether pages may read those that clients need.
pub(super) async fn judge(visit: &mut Visit<'_>, places: &[&Place]) {
    let with = |is: fn(&Place) -> bool| places.iter().copied().filter(|place| is(place)).collect::<Vec<_>>();
    tell(visit, &WELL_KNOWN_JSON, &with(|place| matches!(place.found, Found::NotJson)));
    let errors = with(|place| matches!(place.found, Found::ServerError(_) | Found::NoAnswer(_)));
    tell(visit, &WELL_KNOWN_ERRORS, &errors);
    let other_type =
        with(|place| place.document().is_some() && place.media_type.as_deref() != Some("application/json"));
    match other_type.first() {
        None if places.iter().all(|place| place.document().is_none()) => {
            visit.skipped(&WELL_KNOWN_CONTENT_TYPE, "there is no document");
        }
        None => visit.passed(&WELL_KNOWN_CONTENT_TYPE, None),
        Some(place) => {
            let media_type = place.media_type.as_deref().unwrap_or("no Content-Type");
            visit.warning(
                &WELL_KNOWN_CONTENT_TYPE,
                format!("{} comes as {media_type}, not as application/json.", place.url),
                [place.exchange],
            );
        }
    }
    judge_time(visit, places);
    judge_cors(visit, places).await;
}

fn tell(visit: &mut Visit<'_>, check: &'static Check, wrong: &[&Place]) {
    let shown: Vec<_> = wrong.iter().map(|place| place.shown()).collect();
    let exchanges: Vec<_> = wrong.iter().map(|place| place.exchange).collect();
    let seen = format!("{}.", shown.join("; "));
    if wrong.is_empty() { visit.passed(check, None) } else { visit.failed(check, seen, exchanges) }
}

fn judge_time(visit: &mut Visit<'_>, places: &[&Place]) {
    let profile = visit.target().profile;
    let patience = profile.patience();
    let late = |place: &Place| place.took > patience || matches!(place.found, Found::TooLate);
    match places.iter().find(|place| late(place)) {
        None => {
            let slowest = places.iter().map(|place| place.took).max().unwrap_or_default();
            visit.passed(&DISCOVERY_TIME, format!("the slowest answer took {} ms", slowest.as_millis()));
        }
        Some(place) => {
            let took = match place.found {
                Found::TooLate => "had no answer when the doctor gave up".to_owned(),
                _ => format!("was answered after {} s", place.took.as_secs()),
            };
            let who = if profile == Profile::Generic { "a client".to_owned() } else { profile.to_string() };
            visit.failed(
                &DISCOVERY_TIME,
                format!("{} {took}; {who} waits {} s.", place.url, patience.as_secs()),
                [place.exchange],
            );
        }
    }
}

async fn judge_cors(visit: &mut Visit<'_>, places: &[&Place]) {
    let documents = places.iter().filter(|place| place.document().is_some()).map(|place| place.url.clone());
    let documents: Vec<_> = documents.collect();
    let mut looked = false;
    for url in documents {
        let mut request = Request::get(url.clone());
        request.headers.insert(header::ORIGIN, HeaderValue::from_static("https://client.example"));
        let Ok(answer) = visit.send(request).await else { continue };
        looked = true;
        let allowed = answer.received.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        if !allowed.is_some_and(|origin| matches!(origin.as_bytes(), b"*" | b"https://client.example")) {
            let seen = format!("{url} answers a page of another origin without Access-Control-Allow-Origin.");
            visit.warning(&WELL_KNOWN_CORS, seen, [answer.exchange]);
            return;
        }
    }
    if looked {
        visit.passed(&WELL_KNOWN_CORS, None);
    } else {
        visit.skipped(&WELL_KNOWN_CORS, "there is no document");
    }
}
