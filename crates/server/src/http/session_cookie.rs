//! The cookie that a browser session lives in. What its value is worth is for
//! [`bridgehead_auth::Sessions`] to say.

use bridgehead_core::Secret;
use http::{HeaderMap, HeaderValue, header};
use url::Url;

/// Where the public URL is `https`: the prefix makes browsers refuse one that another host of the
/// domain set (RFC 6265bis §4.1.3.2).
const SECURE_NAME: &str = "__Host-bridgehead";
/// On loopback without TLS, where browsers do not take the prefix.
const PLAIN_NAME: &str = "bridgehead";

/// Reads and writes the cookie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionCookie {
    secure: bool,
}

impl SessionCookie {
    /// The cookie of a server with this public URL.
    pub(crate) fn new(public_url: &Url) -> Self {
        Self { secure: public_url.scheme() == "https" }
    }

    const fn name(self) -> &'static str {
        if self.secure { SECURE_NAME } else { PLAIN_NAME }
    }

    /// Its value in a request; `None` without one, or with two: somebody else set one of them.
    pub(crate) fn read(self, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(name, _)| *name == self.name()).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    }

    /// The header that sets it for so many seconds.
    pub(crate) fn set(self, value: &Secret, seconds: i64) -> Option<HeaderValue> {
        self.write(value.expose(), seconds)
    }

    /// The header that removes it.
    pub(crate) fn clear(self) -> Option<HeaderValue> {
        self.write("", 0)
    }

    /// `Lax`: a client sends the browser here from its own site, and whoever is signed in stays so; a
    /// form of another site is posted without it.
    fn write(self, value: &str, seconds: i64) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.name());
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// oauth.md, Authorize: `__Host-` cookies, and a plain name on http loopback.
    #[test]
    fn the_cookie_is_bound_to_the_host() {
        let secure = SessionCookie::new(&Url::parse("https://mcp.example.com").unwrap());
        let plain = SessionCookie::new(&Url::parse("http://127.0.0.1:8080").unwrap());
        let value = Secret::new("bhw_x".to_owned());
        assert_eq!(
            secure.set(&value, 60).unwrap(),
            "__Host-bridgehead=bhw_x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(plain.set(&value, 60).unwrap(), "bridgehead=bhw_x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        assert_eq!(plain.clear().unwrap(), "bridgehead=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn one_cookie_counts_and_two_do_not() {
        let secure = SessionCookie::new(&Url::parse("https://mcp.example.com").unwrap());
        let rows: [(&[&str], Option<&str>); 6] = [
            (&[], None),
            (&["a=b; __Host-bridgehead=bhw_1; c=d"], Some("bhw_1")),
            (&["a=b", "__Host-bridgehead=bhw_1"], Some("bhw_1")),
            (&["bridgehead=bhw_1"], None),
            (&["__Host-bridgehead=bhw_1; __Host-bridgehead=bhw_2"], None),
            (&["__Host-bridgehead"], None),
        ];
        for (lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_static(line));
            }
            assert_eq!(secure.read(&headers), expected, "{lines:?}");
        }
    }
}
