//! The cookie of a browser that is on its way to an identity provider and back: one for each sign-in.
//! What stands in it is for [`bridgehead_auth::provider`] to read.

use bridgehead_auth::provider::SIGN_IN_LASTS;
use bridgehead_core::Secret;
use http::{HeaderMap, HeaderValue, header};
use url::Url;

/// Where the public URL is `https`: the prefix makes browsers refuse one that another host of the
/// domain set (RFC 6265bis §4.1.3.2).
const SECURE_NAME: &str = "__Host-bridgehead-sign-in-";
/// On loopback without TLS, where browsers do not take the prefix.
const PLAIN_NAME: &str = "bridgehead-sign-in-";

/// Reads and writes the cookies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignInCookie {
    secure: bool,
}

impl SignInCookie {
    /// The cookies of a server with this public URL.
    pub(crate) fn new(public_url: &Url) -> Self {
        Self { secure: public_url.scheme() == "https" }
    }

    /// The value of the one with this name; `None` without one, or with two: somebody else set one of them.
    pub(crate) fn read<'h>(self, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let ours = pairs.filter(|(other, _)| other.strip_prefix(self.prefix()) == Some(name));
        let mut values = ours.map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    }

    /// The header that sets it for as long as a sign-in may take.
    pub(crate) fn set(self, name: &str, value: &Secret) -> Option<HeaderValue> {
        self.write(name, value.expose(), SIGN_IN_LASTS.as_secs())
    }

    /// The header that removes it.
    pub(crate) fn clear(self, name: &str) -> Option<HeaderValue> {
        self.write(name, "", 0)
    }

    const fn prefix(self) -> &'static str {
        if self.secure { SECURE_NAME } else { PLAIN_NAME }
    }

    /// `Lax`: the provider sends the browser back from its own site.
    fn write(self, name: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let prefix = self.prefix();
        let text = format!("{prefix}{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// oauth.md: upstream `state` bound to the browser, 10 minutes.
    #[test]
    fn a_cookie_is_one_sign_ins_and_bound_to_the_host() {
        let secure = SignInCookie::new(&Url::parse("https://mcp.example.com").unwrap());
        let plain = SignInCookie::new(&Url::parse("http://127.0.0.1:8080").unwrap());
        let value = Secret::new("x".to_owned());
        assert_eq!(
            secure.set("a-_1", &value).unwrap(),
            "__Host-bridgehead-sign-in-a-_1=x; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(plain.clear("b").unwrap(), "bridgehead-sign-in-b=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        let mut headers = HeaderMap::new();
        let line = "a=b; __Host-bridgehead-sign-in-one=1; __Host-bridgehead-sign-in-two=2; bridgehead-sign-in-three=3";
        headers.append(header::COOKIE, HeaderValue::from_static(line));
        assert_eq!(
            ["one", "two", "three", ""].map(|name| secure.read(&headers, name)),
            [Some("1"), Some("2"), None, None]
        );
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-bridgehead-sign-in-one=1"));
        assert_eq!(secure.read(&headers, "one"), None, "two count for nothing");
    }
}
