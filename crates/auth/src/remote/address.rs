//! Addresses of a remote issuer: `https`, or `http` on this machine for whoever tries things out.

use std::fmt;

use url::{Host, Url};

/// The issuer identifier (RFC 8414 §2), letter by letter as the operator wrote it: with it the `iss` of
/// tokens and the `issuer` of the metadata are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUrl {
    text: String,
    url: Url,
}

/// Why a text is no issuer identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerUrlError {
    /// No URL at all.
    #[error("is no URL")]
    NotAUrl,
    /// Neither `https`, nor `http` on this machine.
    #[error("does not begin with https://, which only an address of this machine may leave out")]
    NotHttps,
    /// A user, a query or a fragment (RFC 8414 §2).
    #[error("has a user, a query or a fragment, which no issuer has")]
    MoreThanAPath,
}

impl IssuerUrl {
    /// Reads an issuer identifier.
    ///
    /// # Errors
    /// [`IssuerUrlError`].
    pub fn parse(text: &str) -> Result<Self, IssuerUrlError> {
        let url = Url::parse(text).map_err(|_| IssuerUrlError::NotAUrl)?;
        if !url.has_host() || text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(IssuerUrlError::NotAUrl);
        }
        if !is_private_to_us(&url) {
            return Err(IssuerUrlError::NotHttps);
        }
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !anonymous || url.query().is_some() || url.fragment().is_some() {
            return Err(IssuerUrlError::MoreThanAPath);
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host, and port where it is not the scheme's own: what people know it by.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// With this name put between host and path (RFC 8414 §3.1).
    pub(super) fn with_inserted(&self, name: &str) -> RemoteUrl {
        let path = self.url.path().trim_end_matches('/');
        self.at(&format!("{name}{path}"))
    }

    /// With this name behind the path (OpenID Connect Discovery §4).
    pub(super) fn with_appended(&self, name: &str) -> RemoteUrl {
        let path = self.url.path().trim_end_matches('/');
        self.at(&format!("{path}{name}"))
    }

    fn at(&self, path: &str) -> RemoteUrl {
        let mut url = self.url.clone();
        url.set_path(path);
        RemoteUrl(url)
    }

    /// An address that the issuer's metadata names; `None` for one without TLS, unless the issuer itself
    /// does without.
    pub(super) fn endpoint(&self, text: &str) -> Option<RemoteUrl> {
        let url = Url::parse(text).ok().filter(|url| url.has_host() && url.fragment().is_none())?;
        let anonymous = url.username().is_empty() && url.password().is_none();
        let secure = url.scheme() == "https" || (self.url.scheme() == "http" && is_private_to_us(&url));
        (anonymous && secure).then_some(RemoteUrl(url))
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An address of a remote issuer that may be asked: it was made of the issuer's own, or its metadata
/// names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUrl(Url);

impl RemoteUrl {
    /// As a URL.
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Whether nobody on the way can read or change what is sent there.
fn is_private_to_us(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", _) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_https_or_of_this_machine_and_has_nothing_but_a_path() {
        for text in [
            "https://idp.example",
            "https://tenant.eu.auth0.example/",
            "https://idp.example:8443/realms/acme",
            "http://localhost:4000",
            "http://127.0.0.1:4000/x",
            "http://[::1]/",
        ] {
            assert_eq!(IssuerUrl::parse(text).map(|issuer| issuer.as_str().to_owned()).as_deref(), Ok(text));
        }
        let rows = [
            ("idp.example", IssuerUrlError::NotAUrl),
            ("", IssuerUrlError::NotAUrl),
            ("https://idp.example/ ", IssuerUrlError::NotAUrl),
            ("http://idp.example", IssuerUrlError::NotHttps),
            ("http://10.0.0.1", IssuerUrlError::NotHttps),
            ("http://localhost.evil.example", IssuerUrlError::NotHttps),
            ("ftp://idp.example", IssuerUrlError::NotHttps),
            ("https://u@idp.example", IssuerUrlError::MoreThanAPath),
            ("https://idp.example?x", IssuerUrlError::MoreThanAPath),
            ("https://idp.example/#x", IssuerUrlError::MoreThanAPath),
        ];
        for (text, error) in rows {
            assert_eq!(IssuerUrl::parse(text), Err(error), "{text}");
        }
    }

    /// RFC 8414 §3.1 and OpenID Connect Discovery §4: a `/` at the end of the path is left out of both.
    #[test]
    fn metadata_is_before_or_behind_the_path() {
        let rows = [
            ("https://idp.example", "https://idp.example/w", "https://idp.example/w"),
            ("https://idp.example/", "https://idp.example/w", "https://idp.example/w"),
            ("https://idp.example/realms/a", "https://idp.example/w/realms/a", "https://idp.example/realms/a/w"),
            ("https://idp.example/realms/a/", "https://idp.example/w/realms/a", "https://idp.example/realms/a/w"),
        ];
        for (text, inserted, appended) in rows {
            let issuer = IssuerUrl::parse(text).unwrap();
            assert_eq!(issuer.with_inserted("/w").to_string(), inserted);
            assert_eq!(issuer.with_appended("/w").to_string(), appended);
        }
    }

    /// Metadata that came over TLS leads to nothing without, not even on this machine.
    #[test]
    fn endpoints_are_as_safe_as_the_issuer() {
        let (over_tls, here) = (IssuerUrl::parse("https://a").unwrap(), IssuerUrl::parse("http://[::1]:1").unwrap());
        let rows = [
            ("https://other.example/x?y=z", true, true),
            ("http://127.0.0.1:2/x", false, true),
            ("http://other.example/x", false, false),
            ("https://u:p@other.example/x", false, false),
            ("https://other.example/x#y", false, false),
            ("file:///etc/passwd", false, false),
            ("/relative", false, false),
        ];
        for (text, tls, plain) in rows {
            assert_eq!((over_tls.endpoint(text).is_some(), here.endpoint(text).is_some()), (tls, plain), "{text}");
        }
    }
}
