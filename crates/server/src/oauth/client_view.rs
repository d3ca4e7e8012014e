//! A client in the words of the pages: from what the issuer knows of it.

use bridgehead_auth::issuer::{AuthorizationRequest, ClientId, ClientKind, ClientRecord, ClientView};
use url::Url;

use crate::pages::{Client, ClientName, Destination, Identity};

/// The client that asks.
pub(crate) fn client(view: &ClientView) -> Client {
    Client { name: ClientName::new(view.name.as_deref().unwrap_or_default()), identity: identity(view.kind, &view.id) }
}

/// A client that was allowed something, by the name that it had then. Of one whose registration is
/// gone nothing else is known.
pub(crate) fn of_grant(id: &ClientId, name: Option<&str>, record: Option<&ClientRecord>) -> Client {
    let kind = match record {
        Some(record) => record.kind,
        None if id.is_document() => ClientKind::Document,
        None => ClientKind::Registered,
    };
    Client { name: ClientName::new(name.unwrap_or_default()), identity: identity(kind, id) }
}

/// Where the answer goes. What cannot be read has been refused before.
pub(crate) fn destination(asked: &AuthorizationRequest) -> Destination {
    of_redirect(asked.redirect_uri())
}

/// As [`destination`], of any redirect URI.
pub(crate) fn of_redirect(uri: &str) -> Destination {
    Url::parse(uri).map_or_else(|_| Destination::App { scheme: "unknown".to_owned() }, |url| Destination::of(&url))
}

fn identity(kind: ClientKind, id: &ClientId) -> Identity {
    match kind {
        ClientKind::PreRegistered => Identity::Preregistered,
        ClientKind::Registered => Identity::SelfRegistered,
        ClientKind::Document => {
            let url = Url::parse(id.as_str()).ok();
            match url.as_ref().and_then(Url::host_str) {
                Some(host) => Identity::Domain { host: host.to_owned() },
                None => Identity::SelfRegistered,
            }
        }
    }
}
