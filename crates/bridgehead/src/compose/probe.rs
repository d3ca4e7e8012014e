//! The probe: one request to the system behind with what a caller handed over, which says whether
//! it is good and whose it is. It is a tool like any other, called in the caller's name; no catalog
//! has it.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_auth::{Probe, ProbeAnswer, ProbeFailure};
use bridgehead_core::{
    Call, CallError, Caller, Claims, Presented, Randomness, RequestId, ScopeSet, SignIn, Source, UpstreamCode,
};
use bridgehead_sources::{
    fault::SourceFault,
    http::{Credential, HttpSettings, HttpSource, HttpToolSettings, RequestSettings},
};
use serde_json::{Map, Value};
use url::Url;

use super::{Ambient, sources};
use crate::config::settings::{ProbeSettings, SourceKind, SourceSettings};

const TOOL: &str = "probe";

/// Asks the system behind one source.
pub(super) struct SystemProbe {
    source: HttpSource,
    /// JSON Pointer to the caller's name.
    subject: Option<String>,
    randomness: Arc<dyn Randomness>,
}

impl SystemProbe {
    /// # Errors
    /// Why the source cannot be asked, in words for the operator.
    pub(super) fn new(settings: &ProbeSettings, source: &SourceSettings, ambient: &Ambient) -> Result<Self, String> {
        let url = base(source)?;
        let url = format!("{}{}", url.as_str().trim_end_matches('/'), escape(&settings.path));
        let request = RequestSettings::new(settings.method.as_str(), url);
        let tool = HttpToolSettings::new(TOOL, "Asks whose credential this is.", request);
        let settings_of_tool = HttpSettings {
            name: source.name.clone(),
            credential: Credential::FromCaller,
            tools: vec![tool],
            secrets: Vec::new(),
        };
        let faults = |faults: Vec<SourceFault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let source =
            HttpSource::open(settings_of_tool, sources::client(ambient), ambient.clock.clone()).map_err(faults)?;
        Ok(Self { source, subject: settings.subject.clone(), randomness: ambient.randomness.clone() })
    }

    fn answer(&self, result: &Value) -> Result<ProbeAnswer, ProbeFailure> {
        let Some(pointer) = &self.subject else { return Ok(ProbeAnswer::good()) };
        match result.pointer(pointer) {
            Some(Value::String(subject)) => ProbeAnswer::named(subject),
            Some(Value::Number(subject)) => ProbeAnswer::named(&subject.to_string()),
            _ => Err(ProbeFailure::Unusable { what: format!("there is no text or number at {pointer} of its answer") }),
        }
    }
}

/// Braces stand for parameters in a request's URL, and a probe has none.
fn escape(path: &str) -> String {
    path.replace('{', "{{").replace('}', "}}")
}

/// Where the system behind a source is.
fn base(source: &SourceSettings) -> Result<Url, String> {
    match &source.kind {
        SourceKind::OpenApi(openapi) => openapi.settings.convert.base_url.clone().ok_or_else(|| {
            format!("`sources.{}.base_url` is not set, and the probe's path is relative to it", source.name)
        }),
        SourceKind::Http(http) => {
            let origins: Vec<_> = http
                .tools
                .iter()
                .filter_map(|tool| Url::parse(&tool.request.url.replace(['{', '}'], "_")).ok())
                .map(|url| url.origin())
                .collect();
            match origins.split_first() {
                Some((first, rest)) if rest.iter().all(|origin| origin == first) => {
                    Url::parse(&first.ascii_serialization()).map_err(|error| error.to_string())
                }
                _ => Err(format!(
                    "the requests of `sources.{}` go to several hosts, so it is not known which to ask",
                    source.name
                )),
            }
        }
        SourceKind::Sql(_) => Err(format!("`sources.{}` is a database, which knows no callers", source.name)),
    }
}

#[async_trait]
impl Probe for SystemProbe {
    async fn probe(&self, presented: &Presented) -> Result<ProbeAnswer, ProbeFailure> {
        let caller = Caller {
            subject: "probe".into(),
            scopes: ScopeSet::default(),
            sign_in: SignIn::UpstreamKey,
            presented: presented.clone(),
            claims: Claims::default(),
        };
        let call = Call::new(RequestId::generate(&*self.randomness), Arc::new(caller), TOOL, Map::new());
        match self.source.call(TOOL, &call).await {
            Ok(outcome) => self.answer(&Value::Object(outcome.structured.unwrap_or_default())),
            Err(CallError::Upstream(failure)) => Err(match failure.code {
                UpstreamCode::Unauthorized | UpstreamCode::Forbidden => ProbeFailure::Refused,
                UpstreamCode::Unavailable
                | UpstreamCode::Busy
                | UpstreamCode::RateLimited
                | UpstreamCode::TimedOut
                | UpstreamCode::ConnectionLost
                | UpstreamCode::Failed => {
                    ProbeFailure::Unavailable { what: failure.message.clone(), cause: failure.cause.clone() }
                }
                UpstreamCode::Rejected
                | UpstreamCode::NotFound
                | UpstreamCode::Conflict
                | UpstreamCode::InvalidResponse => ProbeFailure::Unusable { what: failure.message.clone() },
            }),
            Err(error) => Err(ProbeFailure::Unusable { what: error.to_string() }),
        }
    }
}
