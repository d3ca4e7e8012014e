//! The pages that people see: signing in, consent, their account, the connect page, and what to do
//! when something went wrong. Plain data in, HTML out; nothing here knows a store, judges a
//! password or decides where a request goes.
//!
//! A handler fills one of the structs, calls [`View::page`] and returns the [`Page`], which brings
//! its status and [`headers`] along. Every text is escaped by the template; text of strangers is
//! cut and cleaned as well ([`ClientName`]). No page needs JavaScript, and none loads anything from
//! elsewhere: the stylesheet stands inside, and the policy names its hash. One page has a script, which
//! is ours ([`Scripts`]).

mod account;
mod client;
mod connect;
mod consent;
mod credential;
mod duvo;
mod fault;
mod go_back;
mod guides;
mod moment;
mod password;
mod scopes;
mod sign_in;
mod sign_in_elsewhere;
mod tools;

#[cfg(any(test, feature = "samples"))]
pub mod samples;
#[cfg(test)]
mod tests;

use std::{fmt, sync::LazyLock};

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

pub use account::{
    Account, AccountNotice, ApiKey, ApiKeys, Connection, CredentialLine, CredentialState, KeyFault, KeyState,
    NewApiKey, PasswordChange,
};
pub use client::{Client, ClientName, Destination, Identity};
pub use connect::{COPY_SCRIPT, Connect, Reach, VaultLine, Visitor, WayIn};
pub use consent::{Consent, MissingCredential, OptionalScope};
pub use credential::{Credential, CredentialForm, CredentialNotice, FormField, NotConnected, StoredCredential};
pub use duvo::{Before, ClientRegistration, DUVO_MENU, DuvoEntry, Field, ForeignRegistration, ValuesFrom, duvo};
pub use fault::{Fault, FaultPage};
pub use go_back::{Answer, GoBack};
pub use moment::Wait;
pub use password::{LinkGone, LinkPurpose, LinkState, PasswordFault, SetPassword};
pub use sign_in::{SignIn, SignInFault, SignInNotice};
pub use sign_in_elsewhere::{NotSignedIn, NotSignedInBecause, SignInElsewhere, SignedOut};
pub use tools::{FindingLine, ToolGroup, ToolLine, ToolList, graded};

/// Where the forms and links on the pages lead. The router uses the same constants.
pub mod paths {
    /// GET shows [`Connect`](super::Connect), with the tools that `find` in the query finds.
    pub const CONNECT: &str = "/";
    /// The connect page's script.
    pub const COPY_SCRIPT: &str = "/copy.js";
    /// GET shows [`SignIn`](super::SignIn); POST takes `mail`, `password` and, hidden, `next`. Where people
    /// sign in at a provider, GET shows [`SignInElsewhere`](super::SignInElsewhere), and POST takes `next` and `as`.
    pub const SIGN_IN: &str = "/login";
    /// GET with `?token=` shows [`SetPassword`](super::SetPassword); POST takes `password`,
    /// `repeat` and, hidden, `token`.
    pub const LINK: &str = "/login/link";
    /// POST takes hidden `query` and `csrf`, `scope` for each ticked box, and the pressed button as
    /// `decision`: `allow` or `deny`.
    pub const CONSENT: &str = "/oauth/consent";
    /// GET shows [`Account`](super::Account).
    pub const ACCOUNT: &str = "/account";
    /// POST takes hidden `csrf`.
    pub const SIGN_OUT: &str = "/account/sign-out";
    /// POST takes `current`, `password`, `repeat` and, hidden, `csrf`; `mail` comes along for password
    /// managers and decides nothing.
    pub const CHANGE_PASSWORD: &str = "/account/password";
    /// POST takes hidden `grant` and `csrf`.
    pub const REVOKE_CONNECTION: &str = "/account/connections/revoke";
    /// POST takes `label`, `days` (a whole number, or nothing for a key without an end) and,
    /// hidden, `csrf`.
    pub const MAKE_KEY: &str = "/account/keys";
    /// POST takes hidden `key` and `csrf`.
    pub const REVOKE_KEY: &str = "/account/keys/revoke";
    /// With the name of a vault behind it, GET shows [`Credential`](super::Credential); POST takes the
    /// vault's fields and, hidden, `csrf` and maybe `next`.
    pub const CREDENTIALS: &str = "/account/credentials/";
    /// Behind [`CREDENTIALS`] and a name: POST takes hidden `csrf` and maybe `next`.
    pub const REMOVE_CREDENTIAL: &str = "/remove";
    /// Behind [`CREDENTIALS`] and a name: POST takes hidden `csrf` and maybe `next`, and leads to another
    /// site.
    pub const CONNECT_CREDENTIAL: &str = "/connect";
}

/// What every page says of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The server's name, from the configuration.
    pub name: String,
}

/// A path on this server, with its query, that a link may lead to or a sign-in may end at: never
/// the address of another site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// Takes a path as it came in a query. `None` for everything that a browser could read as the
    /// address of another site: it takes `//host` for one, and `/\host`, and drops control
    /// characters before it looks (WHATWG URL, §4.4).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('/')?;
        let elsewhere = rest.starts_with(['/', '\\']) || text.chars().any(char::is_control);
        (!elsewhere).then(|| Self(text.to_owned()))
    }

    /// [`paths::ACCOUNT`], where somebody ends who was headed nowhere else.
    #[must_use]
    pub fn account() -> Self {
        Self(paths::ACCOUNT.to_owned())
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a form on a page may end at another site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forms {
    /// Every form is answered here: `form-action 'self'`.
    StayHere,
    /// A form's answer may be a redirect to a client. No `form-action` then: Chromium applies it to
    /// the whole chain of redirects, and the person would be stuck here.
    MayLeave,
}

/// Whether a page has a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// It has none, and none runs: no `script-src`.
    None,
    /// The page has one that this server serves: `script-src 'self'`. Nothing else here is served as one, and
    /// a script inside the page does not run.
    Own,
}

/// A page, ready to be sent. `Debug` shows the status alone: the document may hold a key or a code.
#[derive(Clone)]
pub struct Page {
    /// The status that fits what the page says. A handler may set another.
    pub status: StatusCode,
    /// [`headers`], as the page's forms need them. A handler may add cookies.
    pub headers: HeaderMap,
    /// The document.
    pub html: String,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("status", &self.status).finish_non_exhaustive()
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        (self.status, self.headers, Html(self.html)).into_response()
    }
}

/// What all pages have in common.
pub trait View: Template {
    /// Where the page's forms may lead.
    fn forms(&self) -> Forms {
        Forms::StayHere
    }

    /// Whether the page has a script.
    fn scripts(&self) -> Scripts {
        Scripts::None
    }

    /// The status that fits what the page says.
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    /// How long to wait before trying again, for `Retry-After`.
    fn wait(&self) -> Option<Wait> {
        None
    }

    /// The page as it is sent.
    fn page(&self) -> Page {
        #[expect(clippy::expect_used, reason = "writing to a String cannot fail, and no value's Display does")]
        let html = self.render().expect("a template writes into memory");
        let mut headers = headers(self.forms(), self.scripts());
        if let Some(wait) = self.wait() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.seconds()));
        }
        Page { status: self.status(), headers, html }
    }
}

/// The headers that every page goes out with, beside `Content-Type`.
///
/// The policy allows the stylesheet inside the page, by its hash, and nothing else: no script but that of
/// [`Scripts::Own`], no image but those inside the page, no frame around it. `Referrer-Policy` is `same-origin` and not
/// `no-referrer`, since Chromium would then post `Origin: null` and the check of origins would
/// refuse every form. There is no `Cross-Origin-Opener-Policy`: platforms open the way to consent in
/// a window of its own and wait for it to come back, and that header would cut the two apart.
#[must_use]
pub fn headers(forms: Forms, scripts: Scripts) -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONTENT_SECURITY_POLICY, policy(forms, scripts)),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ])
}

/// The stylesheet, which the layout puts into each page as it is.
pub(crate) const STYLE: &str = include_str!("../templates/style.css");

fn policy(forms: Forms, scripts: Scripts) -> HeaderValue {
    let forms = match forms {
        Forms::StayHere => "; form-action 'self'",
        Forms::MayLeave => "",
    };
    let scripts = match scripts {
        Scripts::None => "",
        Scripts::Own => "; script-src 'self'",
    };
    let policy = format!("{}{forms}{scripts}", *POLICY);
    #[expect(clippy::expect_used, reason = "base64 and the words around it are visible ASCII")]
    HeaderValue::from_str(&policy).expect("a header's value")
}

/// What all policies have in common.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
});
