//! Who this server is to a remote issuer, and how it says so there (RFC 6749 §2.3.1).

use base64::{Engine, engine::general_purpose::STANDARD};
use bridgehead_core::Secret;
use url::form_urlencoded::byte_serialize;

use super::{Form, RemoteRequest};

/// A client that was registered there for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// Its id.
    pub id: String,
    /// Its secret; `None` for a public client.
    pub secret: Option<Secret>,
}

/// None of the ways to authenticate that an endpoint takes is known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it takes no client by client_secret_basic or client_secret_post, but by {}", .0.join(", "))]
pub struct NoWayToAuthenticate(pub Vec<String>);

impl ClientCredentials {
    /// Adds the proof to a request with a form, in a way that is among `methods`: by the header, else in
    /// the form. No methods at all stand for the header (RFC 8414 §2).
    ///
    /// # Errors
    /// [`NoWayToAuthenticate`].
    pub fn add_to(&self, request: RemoteRequest, methods: &[String]) -> Result<RemoteRequest, NoWayToAuthenticate> {
        let takes = |method: &str| methods.iter().any(|taken| taken == method);
        let form = request.form.unwrap_or_default();
        let Some(secret) = &self.secret else {
            return Ok(RemoteRequest { form: Some(form.with("client_id", &self.id)), ..request });
        };
        if methods.is_empty() || takes("client_secret_basic") {
            return Ok(RemoteRequest { form: Some(form), authorization: Some(self.basic(secret)), ..request });
        }
        if takes("client_secret_post") {
            let form: Form = form.with("client_id", &self.id).with("client_secret", secret.expose());
            return Ok(RemoteRequest { form: Some(form), ..request });
        }
        Err(NoWayToAuthenticate(methods.to_vec()))
    }

    /// Both parts are encoded as in a form before they are joined.
    fn basic(&self, secret: &Secret) -> Secret {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&self.id), encoded(secret.expose()));
        Secret::new(format!("Basic {}", STANDARD.encode(pair)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bridgehead_core::FetchBounds;

    use super::*;
    use crate::remote::IssuerUrl;

    #[test]
    fn a_client_authenticates_by_header_or_else_in_the_form() {
        let client = |secret: Option<&str>| ClientCredentials {
            id: "a b".to_owned(),
            secret: secret.map(|secret| Secret::new(secret.to_owned())),
        };
        let bounds = FetchBounds { timeout: Duration::from_secs(1), max_bytes: 1 };
        let request = |client: ClientCredentials, methods: &[&str]| {
            let url = IssuerUrl::parse("https://a").unwrap().endpoint("https://a/t").unwrap();
            let methods: Vec<_> = methods.iter().map(|method| (*method).to_owned()).collect();
            let request =
                client.add_to(RemoteRequest::post(url, Form::default().with("x", "y&z"), bounds), &methods)?;
            let header = request.authorization.map(|value| value.expose().to_owned());
            Ok((header, request.form.unwrap().body().expose().to_owned()))
        };
        // `a+b:%3A%2B` in base64.
        let basic = Ok((Some("Basic YStiOiUzQSUyQg==".to_owned()), "x=y%26z".to_owned()));
        assert_eq!(request(client(Some(":+")), &[]), basic);
        assert_eq!(request(client(Some(":+")), &["client_secret_post", "client_secret_basic"]), basic);
        let posted = Ok((None, "x=y%26z&client_id=a+b&client_secret=%3A%2B".to_owned()));
        assert_eq!(request(client(Some(":+")), &["private_key_jwt", "client_secret_post"]), posted);
        assert_eq!(request(client(None), &["none"]), Ok((None, "x=y%26z&client_id=a+b".to_owned())));
        let refused = Err(NoWayToAuthenticate(vec!["private_key_jwt".to_owned()]));
        assert_eq!(request(client(Some(":+")), &["private_key_jwt"]), refused);
    }
}
