//! The mode `headers` (requirement A3): several named headers, required or optional, each
//! teammate with values of their own. They were issued here, or they are the system behind's and
//! are handed through.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::{Caller, Claims, EndpointId, Presented, ScopeSet, Secret, SignIn};
use http::HeaderMap;

use super::{HandedThrough, Mode, bearer, single};
use crate::{Denied, IssuedKeys, KeyHeader, KeyRecord, KeyText, keys::title};

/// The headers that make a sign-in: at least one is required, and none is named twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerHeaders {
    required: Vec<KeyHeader>,
    optional: Vec<KeyHeader>,
}

/// Headers that make no sign-in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerHeadersError {
    /// None is required: whoever sends nothing would be in.
    #[error("at least one header has to be required, or everybody would be let in")]
    NoneRequired,
    /// One is named twice.
    #[error("the header `{0}` is named twice")]
    Twice(String),
}

impl CallerHeaders {
    /// Takes the names.
    ///
    /// # Errors
    /// [`CallerHeadersError`].
    pub fn new(required: Vec<KeyHeader>, optional: Vec<KeyHeader>) -> Result<Self, CallerHeadersError> {
        if required.is_empty() {
            return Err(CallerHeadersError::NoneRequired);
        }
        let all: Vec<_> = required.iter().chain(&optional).collect();
        let twice =
            all.iter().enumerate().find(|(index, header)| all.iter().take(*index).any(|other| other == *header));
        match twice {
            Some((_, header)) => Err(CallerHeadersError::Twice(header.title())),
            None => Ok(Self { required, optional }),
        }
    }

    /// Those that everybody has to send.
    #[must_use]
    pub fn required(&self) -> &[KeyHeader] {
        &self.required
    }

    /// Those that may be sent.
    #[must_use]
    pub fn optional(&self) -> &[KeyHeader] {
        &self.optional
    }

    fn titles(headers: &[KeyHeader]) -> Vec<String> {
        headers.iter().map(KeyHeader::title).collect()
    }
}

/// Lets in who sends every required header with a good value.
#[derive(Debug)]
pub struct HeadersMode {
    headers: CallerHeaders,
    judge: Judge,
}

#[derive(Debug)]
enum Judge {
    Issued { keys: Arc<IssuedKeys>, endpoint: EndpointId },
    Upstream(HandedThrough),
}

/// A header and the value it has in a request.
type Sent<'s> = (&'s KeyHeader, &'s str);

impl HeadersMode {
    /// Each value is a key that was issued here for `endpoint` and for the header it arrives in
    /// (`keys create --header …`), all of them for one teammate. What they let that teammate do
    /// is what every one of them does.
    #[must_use]
    pub const fn issued(keys: Arc<IssuedKeys>, headers: CallerHeaders, endpoint: EndpointId) -> Self {
        Self { headers, judge: Judge::Issued { keys, endpoint } }
    }

    /// The values are the system behind's, and are handed through. Who is calling is said by the
    /// required ones alone.
    #[must_use]
    pub const fn handed_through(callers: HandedThrough, headers: CallerHeaders) -> Self {
        Self { headers, judge: Judge::Upstream(callers) }
    }

    /// Those of `names` that are there, with their values.
    fn sent<'s>(&self, names: &'s [KeyHeader], headers: &'s HeaderMap) -> Result<Vec<Sent<'s>>, Denied> {
        let mut sent = Vec::new();
        for header in names {
            // Of ours, `Authorization` means Bearer; the system behind may want any scheme.
            let value = match self.judge {
                Judge::Issued { .. } if header.is_bearer() => bearer(headers, KeyText::PREFIX)?,
                Judge::Issued { .. } | Judge::Upstream(_) => single(headers, header.name())?,
            };
            sent.extend(value.map(|value| (header, value)));
        }
        Ok(sent)
    }
}

#[async_trait]
impl Mode for HeadersMode {
    fn name(&self) -> &'static str {
        "headers"
    }

    fn asks_for(&self) -> String {
        let required = listed(&CallerHeaders::titles(&self.headers.required), "and");
        let one = self.headers.required.len() == 1;
        let mut text = match (&self.judge, one) {
            (Judge::Issued { .. }, true) => format!("Send your API key in the header {required}."),
            (Judge::Issued { .. }, false) => {
                format!("Send your API keys in the headers {required}, in each the one that was made for it.")
            }
            (Judge::Upstream(_), true) => {
                format!("Send your own value for the system behind in the header {required}.")
            }
            (Judge::Upstream(_), false) => {
                format!("Send your own values for the system behind in the headers {required}.")
            }
        };
        if !self.headers.optional.is_empty() {
            let optional = listed(&CallerHeaders::titles(&self.headers.optional), "and");
            text.push_str(&format!(" You may add {optional}."));
        }
        text
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Caller>, Denied> {
        let required = self.sent(&self.headers.required, headers)?;
        if required.is_empty() {
            return Ok(None);
        }
        let is_missing = |header: &&KeyHeader| required.iter().all(|(sent, _)| sent != header);
        let missing: Vec<_> = self.headers.required.iter().filter(is_missing).map(KeyHeader::title).collect();
        if !missing.is_empty() {
            return Err(Denied::Incomplete { missing });
        }
        let optional = self.sent(&self.headers.optional, headers)?;
        match &self.judge {
            Judge::Issued { keys, endpoint } => {
                let sent: Vec<_> = required.into_iter().chain(optional).collect();
                issued_to(keys, endpoint, &sent).await.map(Some)
            }
            Judge::Upstream(callers) => handed_on(callers, &required, &optional).await.map(Some),
        }
    }
}

/// The teammate for whom all of these keys were made.
async fn issued_to(keys: &IssuedKeys, endpoint: &EndpointId, sent: &[Sent<'_>]) -> Result<Caller, Denied> {
    let mut teammate: Option<(Arc<str>, ScopeSet)> = None;
    for (header, text) in sent {
        let record =
            issued_for(keys, endpoint, header, text).await.map_err(|denied| denied.in_header(header.title()))?;
        teammate = match teammate {
            None => Some((record.subject, record.scopes)),
            Some((subject, scopes)) if subject == record.subject => Some((subject, scopes.common(&record.scopes))),
            Some(_) => {
                let headers = sent.iter().map(|(header, _)| header.title()).collect();
                return Err(Denied::DifferentTeammates { headers });
            }
        };
    }
    let (subject, scopes) = teammate.ok_or(Denied::Missing)?;
    Ok(Caller { subject, scopes, sign_in: SignIn::Headers, presented: Presented::default(), claims: Claims::default() })
}

async fn issued_for(
    keys: &IssuedKeys,
    endpoint: &EndpointId,
    header: &KeyHeader,
    text: &str,
) -> Result<KeyRecord, Denied> {
    let record = keys.verify(text).await?;
    if record.endpoint != *endpoint {
        return Err(Denied::Unknown);
    }
    match record.header.as_deref() {
        Some(made_for) if made_for == header.name().as_str() => Ok(record),
        Some(made_for) => Err(Denied::WrongHeader { expected: title(made_for) }),
        None => Err(Denied::MadeForNoHeader),
    }
}

async fn handed_on(callers: &HandedThrough, required: &[Sent<'_>], optional: &[Sent<'_>]) -> Result<Caller, Denied> {
    let mut presented = Presented::default();
    for (header, value) in required.iter().chain(optional) {
        presented = presented.with(header.name().as_str(), Secret::new((*value).to_owned()));
    }
    let mut identity: Vec<_> = required
        .iter()
        .map(|(header, value)| (header.name().as_str(), Secret::new(in_one_spelling(header, value))))
        .collect();
    identity.sort_by_key(|(name, _)| *name);
    callers.caller(identity.iter().map(|(name, value)| (*name, value)), presented, SignIn::Headers).await
}

/// A value as it counts for who somebody is: another spelling of a scheme (RFC 9110 §11.1) makes
/// nobody else of them.
fn in_one_spelling(header: &KeyHeader, value: &str) -> String {
    match value.split_once([' ', '\t']) {
        Some((scheme, rest)) if header.is_bearer() => {
            format!("{} {}", scheme.to_ascii_lowercase(), rest.trim())
        }
        _ => value.to_owned(),
    }
}

/// Names as people list them: `A`, `B` and `C`.
pub(crate) fn listed(names: &[String], and: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {and} {last}", rest.join(", ")),
        None => String::new(),
    }
}
