//! One request to a remote issuer, and the trait that carries it out: there is no HTTP here.

use async_trait::async_trait;
use bridgehead_core::{FetchBounds, FetchError, Fetched, Secret};
use url::form_urlencoded::Serializer;

use super::RemoteUrl;

/// Sends requests to the addresses of a remote issuer: any address, private ones on purpose, since the
/// operator named it. JSON is asked for, and no cookie is kept.
#[async_trait]
pub trait Exchange: Send + Sync + 'static {
    /// Sends one request and takes the answer in.
    ///
    /// # Errors
    /// [`FetchError`]; another status than 200 is none.
    async fn send(&self, request: RemoteRequest) -> Result<Fetched, FetchError>;
}

/// One request. `Debug` shows where it goes alone.
#[derive(Debug, Clone)]
pub struct RemoteRequest {
    /// Where it goes.
    pub url: RemoteUrl,
    /// The value of `Authorization`, where there shall be one.
    pub authorization: Option<Secret>,
    /// A form, which is sent by POST; GET without one.
    pub form: Option<Form>,
    /// How long and how much the answer may be.
    pub bounds: FetchBounds,
}

impl RemoteRequest {
    /// A GET.
    #[must_use]
    pub const fn get(url: RemoteUrl, bounds: FetchBounds) -> Self {
        Self { url, authorization: None, form: None, bounds }
    }

    /// A POST of a form.
    #[must_use]
    pub const fn post(url: RemoteUrl, form: Form, bounds: FetchBounds) -> Self {
        Self { url, authorization: None, form: Some(form), bounds }
    }
}

/// The fields of a form (`application/x-www-form-urlencoded`); some of them may be secret, so `Debug`
/// shows none.
#[derive(Debug, Clone)]
pub struct Form(Secret);

impl Default for Form {
    fn default() -> Self {
        Self(Secret::new(String::new()))
    }
}

impl Form {
    /// With one more field.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut fields = Serializer::new(self.0.expose().to_owned());
        Self(Secret::new(fields.append_pair(name, value).finish()))
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Secret {
        &self.0
    }
}
