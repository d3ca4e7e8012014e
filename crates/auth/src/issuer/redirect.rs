//! Redirect URIs: which may be registered (RFC 9700 §4.1, RFC 8252 §7), which of them a request
//! names, and how an answer is put behind one. Compared as raw strings: two readers of URLs never
//! have to agree.

use url::{Host, Url, form_urlencoded};

/// The longest that is taken, in bytes.
const LONGEST: usize = 2048;

/// Names that mean the machine itself.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Schemes that belong to no application of a client's own: browsers run, read or open them.
const FORBIDDEN_SCHEMES: [&str; 26] = [
    "about",
    "android-app",
    "blob",
    "chrome",
    "chrome-extension",
    "content",
    "data",
    "edge",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "intent",
    "jar",
    "javascript",
    "livescript",
    "mailto",
    "mhtml",
    "res",
    "search-ms",
    "shell",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
];

/// Why something cannot be a redirect URI. The URI itself is named beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// Not an absolute URI.
    #[error("it is not an absolute URI such as https://example.com/callback")]
    NotAbsolute,
    /// Too long.
    #[error("it is longer than {LONGEST} characters")]
    TooLong,
    /// A blank, a control character, a backslash, or one beyond ASCII.
    #[error("it has a character that no URI has, such as a blank, a backslash or a line break")]
    Character,
    /// A fragment (RFC 6749 §3.1.2).
    #[error("it has a fragment (`#`)")]
    Fragment,
    /// A user name or a password before the host.
    #[error("it has a user name or a password before the host")]
    UserInfo,
    /// Plain `http` to somewhere else than the machine itself.
    #[error("plain http is for loopback alone (127.0.0.1, [::1], localhost). Use https")]
    PlainHttp,
    /// A scheme that is not an application's own.
    #[error("its scheme is not one that an application has for itself")]
    Scheme,
}

/// Where an answer goes, as a teammate should see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectTarget {
    /// A web site.
    Web {
        /// Its host, in ASCII, with the port where it is not the scheme's own.
        host: String,
    },
    /// A program on the machine of whoever looks at the page: any program there can have asked.
    Loopback,
    /// An application that has this scheme for itself.
    App {
        /// The scheme.
        scheme: String,
    },
}

/// Checks one for registration.
///
/// # Errors
/// [`RedirectUriError`].
pub(crate) fn check(raw: &str) -> Result<RedirectTarget, RedirectUriError> {
    if raw.len() > LONGEST {
        return Err(RedirectUriError::TooLong);
    }
    if !raw.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err(RedirectUriError::Character);
    }
    if raw.contains('#') {
        return Err(RedirectUriError::Fragment);
    }
    let url = Url::parse(raw).map_err(|_| RedirectUriError::NotAbsolute)?;
    if FORBIDDEN_SCHEMES.contains(&url.scheme()) || url.scheme() == "wss" || url.scheme().starts_with("ms-") {
        return Err(RedirectUriError::Scheme);
    }
    let rest = raw.split_once(':').map_or("", |(_, rest)| rest);
    let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    if authority.is_some_and(|authority| authority.contains('@')) || !url.username().is_empty() {
        return Err(RedirectUriError::UserInfo);
    }
    if !matches!(url.scheme(), "http" | "https") {
        // RFC 8252 §7.1 writes those with one slash.
        let absolute = rest.starts_with('/');
        let app = || RedirectTarget::App { scheme: url.scheme().to_owned() };
        return absolute.then(app).ok_or(RedirectUriError::NotAbsolute);
    }
    if authority.is_none_or(str::is_empty) {
        return Err(RedirectUriError::NotAbsolute);
    }
    match (url.scheme(), is_loopback(&url)) {
        (_, true) => Ok(RedirectTarget::Loopback),
        ("http", false) => Err(RedirectUriError::PlainHttp),
        (_, false) => {
            let host = url.host_str().ok_or(RedirectUriError::NotAbsolute)?;
            let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            Ok(RedirectTarget::Web { host })
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// The registered one that a request means: the same string, or the same but for the port where
/// both are loopback (RFC 8252 §7.3).
pub(crate) fn is_registered(registered: &[String], asked: &str) -> bool {
    registered
        .iter()
        .any(|one| one == asked || matches!((loopback(one), loopback(asked)), (Some(one), Some(asked)) if one == asked))
}

/// Host and rest of a plain loopback URI, without its port.
fn loopback(raw: &str) -> Option<(&str, &str)> {
    let rest = raw.strip_prefix("http://")?;
    let host = LOOPBACK.into_iter().find(|host| rest.starts_with(host))?;
    let rest = rest.get(host.len()..)?;
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest.get(..digits)?.parse::<u16>().ok()?;
            rest.get(digits..)?
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

/// Puts an answer behind a redirect URI (RFC 6749 §4.1.2), whose own query stays as it is.
pub(crate) fn with_answer(redirect_uri: &str, answer: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(answer).finish();
    let joint = match redirect_uri.split_once('?') {
        None => "?",
        Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{redirect_uri}{joint}{query}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_be_registered() {
        let web = |host: &str| Ok(RedirectTarget::Web { host: host.into() });
        let app = |scheme: &str| Ok(RedirectTarget::App { scheme: scheme.into() });
        let rows = [
            ("https://claude.ai/api/mcp/auth_callback", web("claude.ai")),
            ("https://platform.duvo.ai/v1/oauth/mcp/callback?x=1", web("platform.duvo.ai")),
            ("https://example.com:8443/cb", web("example.com:8443")),
            ("https://xn--80ak6aa92e.com/cb", web("xn--80ak6aa92e.com")),
            ("http://127.0.0.1:33418/", Ok(RedirectTarget::Loopback)),
            ("http://localhost/callback", Ok(RedirectTarget::Loopback)),
            ("http://[::1]:1/cb", Ok(RedirectTarget::Loopback)),
            ("https://localhost/cb", Ok(RedirectTarget::Loopback)),
            ("cursor://anysphere.cursor-retrieval/oauth/user-x/callback", app("cursor")),
            ("vscode://vscode.github-authentication/did-authenticate", app("vscode")),
            ("com.example.app:/oauth2redirect/provider", app("com.example.app")),
            ("http://example.com/cb", Err(RedirectUriError::PlainHttp)),
            ("http://localhost.example.com/cb", Err(RedirectUriError::PlainHttp)),
            ("http://127.0.0.1.nip.io/cb", Err(RedirectUriError::PlainHttp)),
            ("http://192.168.0.1/cb", Err(RedirectUriError::PlainHttp)),
            ("http://0.0.0.0/cb", Err(RedirectUriError::PlainHttp)),
            ("https://a@example.com/cb", Err(RedirectUriError::UserInfo)),
            ("https://claude.ai:x@evil.example/cb", Err(RedirectUriError::UserInfo)),
            ("http://localhost@evil.example/cb", Err(RedirectUriError::UserInfo)),
            ("https://@example.com/cb", Err(RedirectUriError::UserInfo)),
            ("https://example.com/cb#x", Err(RedirectUriError::Fragment)),
            ("https://example.com/cb#", Err(RedirectUriError::Fragment)),
            ("https://claude.ai\\@evil.example/", Err(RedirectUriError::Character)),
            ("https://example.com/c b", Err(RedirectUriError::Character)),
            ("https://example.com/\u{7f}", Err(RedirectUriError::Character)),
            ("https://example.com/\r\nSet-Cookie: a=b", Err(RedirectUriError::Character)),
            ("java\tscript://x/%0aalert(1)", Err(RedirectUriError::Character)),
            ("https://exämple.com/", Err(RedirectUriError::Character)),
            ("javascript:alert(1)", Err(RedirectUriError::Scheme)),
            ("JavaScript://x/%0aalert(1)", Err(RedirectUriError::Scheme)),
            ("data:text/html,x", Err(RedirectUriError::Scheme)),
            ("file:///etc/passwd", Err(RedirectUriError::Scheme)),
            ("vbscript:x", Err(RedirectUriError::Scheme)),
            ("blob:https://example.com/x", Err(RedirectUriError::Scheme)),
            ("ms-msdt://x", Err(RedirectUriError::Scheme)),
            ("intent://x#Intent;end", Err(RedirectUriError::Fragment)),
            ("https:example.com/cb", Err(RedirectUriError::NotAbsolute)),
            ("https:///example.com/cb", Err(RedirectUriError::NotAbsolute)),
            ("//example.com/cb", Err(RedirectUriError::NotAbsolute)),
            ("/cb", Err(RedirectUriError::NotAbsolute)),
            ("cursor:callback", Err(RedirectUriError::NotAbsolute)),
            ("cursor://a@b/callback", Err(RedirectUriError::UserInfo)),
            ("urn:ietf:wg:oauth:2.0:oob", Err(RedirectUriError::NotAbsolute)),
            ("", Err(RedirectUriError::NotAbsolute)),
        ];
        for (raw, expected) in rows {
            assert_eq!(check(raw), expected, "{raw}");
        }
        assert_eq!(check(&format!("https://a/{}", "x".repeat(LONGEST))), Err(RedirectUriError::TooLong));
    }

    #[test]
    fn a_request_names_a_registered_one_as_a_raw_string() {
        let rows = [
            ("https://a.example/cb", "https://a.example/cb", true),
            ("https://a.example/cb", "https://a.example/cb/", false),
            ("https://a.example/cb", "https://a.example/cb?x", false),
            ("https://a.example/cb", "https://a.example/CB", false),
            ("https://a.example/cb", "https://A.example/cb", false),
            ("https://a.example/cb", "https://a.example:443/cb", false),
            ("https://a.example/cb", "https://a.example/x/../cb", false),
            ("https://a.example/cb", "https://a.example/%63b", false),
            ("https://a.example/cb", "https://a.example.evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51234/cb", true),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1:51234/cb", true),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]:3000/cb", "http://[::1]:1/cb", true),
            ("http://localhost:3000/cb", "http://localhost:1/cb", true),
            ("http://localhost:3000", "http://localhost:1", true),
            ("http://localhost:3000/cb", "http://127.0.0.1:3000/cb", false),
            ("http://localhost:3000/cb", "https://localhost:3000/cb", false),
            ("http://localhost:3000/cb", "http://localhost:1/other", false),
            ("http://localhost:3000/cb", "http://localhost:1@evil.example/cb", false),
            ("http://localhost:3000/cb", "http://localhost.evil.example/cb", false),
            ("http://localhost:3000/cb", "http://localhost:65536/cb", false),
            ("http://localhost:3000/cb", "http://localhost:/cb", false),
            ("http://localhost:3000/cb", "http://localhost:1/cb#", false),
            ("https://localhost:3000/cb", "https://localhost:1/cb", false),
        ];
        for (registered, asked, expected) in rows {
            assert_eq!(is_registered(&[registered.into()], asked), expected, "{registered} {asked}");
        }
        assert!(!is_registered(&[], "https://a.example/cb"));
    }

    #[test]
    fn an_answer_stands_behind_the_uri_as_it_was_registered() {
        let answer = [("code", "a b&c"), ("state", "ä=#")];
        let query = "code=a+b%26c&state=%C3%A4%3D%23";
        for (uri, joint) in [
            ("https://a/b", "?"),
            ("https://a/b?", ""),
            ("https://a/b?x=%2f", "&"),
            ("https://a/b?x&", ""),
            ("cursor://x/y", "?"),
        ] {
            assert_eq!(with_answer(uri, &answer), format!("{uri}{joint}{query}"));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,60}", port in "[0-9]{0,6}") {
            let _ = check(&text);
            let _ = is_registered(&["http://localhost:1/cb".into()], &format!("http://localhost:{port}{text}"));
        }

        /// Whatever passes for a loopback one is loopback to a reader of URLs as well.
        #[test]
        fn what_passes_for_loopback_goes_to_loopback(tail in "[ -~]{0,30}") {
            let asked = format!("http://localhost{tail}");
            if is_registered(&["http://localhost/".into(), "http://localhost".into(), "http://localhost/cb".into()], &asked) {
                let read = Url::parse(&asked).unwrap();
                prop_assert_eq!(read.host_str(), Some("localhost"));
            }
        }
    }
}
