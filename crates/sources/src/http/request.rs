//! A request in the making, for `sources/http` and `sources/openapi`: every value that an agent
//! gave is encoded for the place where it stands and cannot leave it. Knows no templates and no
//! OpenAPI styles: those write segments, pairs and bodies with what is here.

use bridgehead_core::Secret;
use bridgehead_outbound::Request;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use super::{
    encode::{encode, encode_literal},
    multipart::{self, Part},
};

/// Why a value cannot stand where it should. Says what would be right; does not repeat the value,
/// which may be secret. The caller adds which argument it is and makes
/// [`Refusal::InvalidArguments`](bridgehead_core::Refusal) of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IllegalValue {
    /// A path segment that is empty, `.` or `..`: servers and proxies take it for another path.
    #[error("stands alone in a segment of the path, where it cannot be empty, `.` or `..`")]
    Segment,
    /// A header value with a line break or another control character.
    #[error("is sent in a header, and has a character that no header may have, such as a line break")]
    Header,
    /// A name that no header may have.
    #[error("is the name of a header, and has a character that none may have")]
    HeaderName,
}

/// One segment of a path: `/` stands before it and in none of its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Segment(String);

impl Segment {
    /// Text of the operator or the description: what is legal in a segment stays as it is (`;`,
    /// `,`, `=`, `:`, `%2F` …), everything else is percent-encoded.
    pub(crate) fn literal(mut self, text: &str) -> Self {
        self.0.push_str(&encode_literal(text));
        self
    }

    /// Text of the caller: everything but `A-Z a-z 0-9 - . _ ~` is percent-encoded.
    pub(crate) fn value(mut self, text: &str) -> Self {
        self.0.push_str(&encode(text));
        self
    }

    /// Whether a URL parser or a proxy would take it for something else than itself (WHATWG URL,
    /// "single-dot" and "double-dot URL path segment"; an empty one is dropped by many).
    fn is_illegal(&self) -> bool {
        let text = self.0.to_ascii_lowercase().replace("%2e", ".");
        matches!(text.as_str(), "" | "." | "..")
    }
}

/// A body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// `application/json`, or the JSON media type that is given (`application/merge-patch+json`).
    Json(Value, Option<String>),
    /// `application/x-www-form-urlencoded`; both halves of each pair are encoded here.
    Form(Vec<(String, String)>),
    /// `multipart/form-data`.
    Multipart(Vec<Part>),
    /// Any text, with its media type.
    Text(String, String),
    /// Any bytes, with their media type.
    Bytes(Vec<u8>, String),
}

/// A request in the making. Setters of the caller's values say with [`IllegalValue`] what cannot be
/// sent.
#[derive(Debug, Clone)]
pub(crate) struct RequestBuilder {
    method: Method,
    base: Url,
    path: String,
    query: Vec<String>,
    cookies: Vec<String>,
    request: Request,
}

impl RequestBuilder {
    /// A request to `base`: segments are added to its path, pairs to its query; its fragment is
    /// dropped.
    pub(crate) fn new(method: Method, base: &Url) -> Self {
        let query = base.query().filter(|query| !query.is_empty()).map(str::to_owned).into_iter().collect();
        Self {
            path: base.path().trim_end_matches('/').to_owned(),
            base: base.clone(),
            query,
            cookies: Vec::new(),
            request: Request::new(method.clone(), base.clone()),
            method,
        }
    }

    /// Adds a segment with a value of the caller.
    ///
    /// # Errors
    /// It is empty, `.` or `..` as a whole.
    pub(crate) fn segment(&mut self, segment: Segment) -> Result<(), IllegalValue> {
        if segment.is_illegal() {
            return Err(IllegalValue::Segment);
        }
        self.path.push('/');
        self.path.push_str(&segment.0);
        Ok(())
    }

    /// Adds a path of the operator or the description, which may have several segments and a slash
    /// at its end; without placeholders.
    pub(crate) fn literal_path(&mut self, path: &str) {
        for (index, segment) in path.split('/').enumerate() {
            // `a/b` and `/a/b` are the same below a base.
            if index > 0 || !segment.is_empty() {
                self.path.push('/');
                self.path.push_str(&encode_literal(segment));
            }
        }
    }

    /// Adds a query pair, both halves encoded.
    pub(crate) fn query(&mut self, name: &str, value: &str) {
        self.query_encoded(format!("{}={}", encode(name), encode(value)));
    }

    /// Adds text to the query as it is: made of [`encode`]d parts and the delimiters of a style
    /// (`ids=1,2,3`). What no query may have is encoded all the same.
    pub(crate) fn query_encoded(&mut self, pair: String) {
        self.query.push(pair);
    }

    /// Sets a header.
    ///
    /// # Errors
    /// The name or the value cannot stand in a header.
    pub(crate) fn header(&mut self, name: &str, value: &str) -> Result<(), IllegalValue> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| IllegalValue::HeaderName)?;
        self.request.set_header(name, value).map_err(|_| IllegalValue::Header)
    }

    /// Sets a header whose value is the operator's secret: it is taken out of what the system behind
    /// says about failures, as a credential is.
    ///
    /// # Errors
    /// The name or the value cannot stand in a header.
    pub(crate) fn secret_header(&mut self, name: &str, value: String) -> Result<(), IllegalValue> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| IllegalValue::HeaderName)?;
        self.request.set_secret_header(name, &Secret::new(value)).map_err(|_| IllegalValue::Header)
    }

    /// Adds a cookie, both halves percent-encoded.
    pub(crate) fn cookie(&mut self, name: &str, value: &str) {
        self.cookies.push(format!("{}={}", encode(name), encode(value)));
    }

    /// Sets the body, and `content-type` with it where no header was set by that name.
    pub(crate) fn body(&mut self, body: Body) {
        let (bytes, media_type) = match body {
            Body::Json(value, media_type) => {
                (value.to_string().into_bytes(), media_type.unwrap_or_else(|| "application/json".to_owned()))
            }
            Body::Form(pairs) => {
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                (form.into_bytes(), "application/x-www-form-urlencoded".to_owned())
            }
            Body::Multipart(parts) => multipart::write(&parts),
            Body::Text(text, media_type) => (text.into_bytes(), media_type),
            Body::Bytes(bytes, media_type) => (bytes, media_type),
        };
        self.request.body = Bytes::from(bytes);
        if let Ok(media_type) = HeaderValue::from_bytes(media_type.as_bytes()) {
            self.request.headers.entry(header::CONTENT_TYPE).or_insert(media_type);
        }
    }

    /// The request. A credential is put in afterwards, see
    /// [`Credential::apply`](super::Credential::apply).
    pub(crate) fn build(mut self) -> Request {
        if !self.cookies.is_empty()
            && let Ok(cookies) = HeaderValue::from_str(&self.cookies.join("; "))
        {
            self.request.headers.insert(header::COOKIE, cookies);
        }
        let mut url = self.base;
        url.set_fragment(None);
        url.set_path(&self.path);
        let query = self.query.join("&");
        url.set_query((!query.is_empty()).then_some(&query));
        self.request.method = self.method;
        self.request.url = url;
        self.request
    }
}

#[cfg(test)]
mod tests;
