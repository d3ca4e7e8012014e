//! The way back to the client after consent: a page that navigates there, instead of a redirect
//! that a policy for forms could stop. Schemes of editors, to which browsers go by a click alone,
//! get a link.

use std::fmt;

use askama::Template;
use url::Url;

use super::{Client, Destination, Site, View};

/// The page after Allow or Deny.
#[derive(Clone, Template)]
#[template(path = "go_back.html")]
pub struct GoBack {
    /// The server.
    pub site: Site,
    /// Who asked.
    pub client: Client,
    /// What the teammate answered.
    pub answer: Answer,
    /// The redirect URI with the answer in its query. It holds a code: `Debug` shows nothing of it.
    pub redirect: Url,
}

/// What a teammate answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The client may connect.
    Allowed,
    /// It may not.
    Denied,
}

impl fmt::Debug for GoBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, client, answer, redirect: _ } = self;
        f.debug_struct("GoBack")
            .field("site", site)
            .field("client", client)
            .field("answer", answer)
            .finish_non_exhaustive()
    }
}

impl GoBack {
    fn is_allowed(&self) -> bool {
        self.answer == Answer::Allowed
    }

    fn destination(&self) -> Destination {
        Destination::of(&self.redirect)
    }

    /// Whether the page goes there by itself. Browsers ask before they open a program, and some do
    /// so only after a click.
    fn navigates(&self) -> bool {
        !matches!(self.destination(), Destination::App { .. })
    }
}

impl View for GoBack {}
