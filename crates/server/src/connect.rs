//! `/`: what this server is, and what to enter where to use it. The tools are shown to whoever may see
//! them.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::{ResourceServer, Session};
use bridgehead_core::{Catalog, Endpoint};
use http::header;
use tokio::{sync::Mutex, task::spawn_blocking};

use crate::{
    browser::Visit,
    http::body,
    oauth::AuthorizationServer,
    pages::{
        self, COPY_SCRIPT, Connect, ForeignRegistration, Reach, Site, ToolGroup, ToolList, VaultLine, View, Visitor,
        WayIn,
    },
};

/// In the query: words that the shown tools have in their texts.
const FIND: &str = "find";
/// How many characters of them count.
const MAX_FIND_CHARACTERS: usize = 100;

/// What the page says of the ways in, and to whom it shows the tools.
#[derive(Debug, Clone, Default)]
pub struct ConnectParts {
    /// In the order of the configuration; empty where nobody is asked.
    pub ways_in: Vec<WayIn>,
    /// What teammates enter or connect for systems behind.
    pub vaults: Vec<VaultLine>,
    /// Whether everybody sees the tools, or signed-in teammates alone, and of these each their own.
    pub public_tools: bool,
}

/// The page's state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ConnectPage {
    pub(crate) parts: Arc<ConnectParts>,
    pub(crate) site: Site,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) endpoint_url: String,
    pub(crate) reach: Reach,
    pub(crate) server: Option<AuthorizationServer>,
    pub(crate) graded: Arc<Graded>,
    pub(crate) resource: Option<Arc<ResourceServer>>,
}

/// The tools with their grades, made once for each catalog.
#[derive(Default)]
pub(crate) struct Graded(Mutex<Option<Grades>>);

/// What was graded, and what came of it.
struct Grades {
    of: Arc<Catalog>,
    groups: Arc<[ToolGroup]>,
}

pub(crate) async fn page(State(page): State<ConnectPage>, request: Request) -> Response {
    let session = match &page.server {
        Some(server) => match server.session(&Visit::of(&request)).await {
            Ok(session) => session,
            Err(response) => return response,
        },
        None => None,
    };
    let query = body::pairs(request.uri().query().unwrap_or_default().as_bytes());
    let find = query.iter().find(|(name, _)| name == FIND).map_or("", |(_, words)| words.as_str());
    let view = Connect {
        site: page.site.clone(),
        instructions: page.endpoint.instructions.clone(),
        endpoint_url: page.endpoint_url.clone(),
        reach: page.reach,
        ways_in: page.ways_in().await,
        vaults: page.parts.vaults.clone(),
        own_keys: page.server.as_ref().is_some_and(|server| server.keys.is_some()),
        tools: page.tools(session.as_ref(), find).await,
        visitor: page.visitor(session),
    };
    view.page().into_response()
}

/// The page's script. Not kept by browsers, so that it is always that of the page.
pub(crate) async fn copy_script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], COPY_SCRIPT).into_response()
}

impl ConnectPage {
    /// The ways in, with what an authorization server that is not ours says of clients by now.
    async fn ways_in(&self) -> Vec<WayIn> {
        let mut ways = self.parts.ways_in.clone();
        if let Some(resource) = &self.resource {
            let found = ForeignRegistration::at(resource).await;
            for way in &mut ways {
                if let WayIn::ForeignOAuth { registration, .. } = way {
                    *registration = found;
                }
            }
        }
        ways
    }

    /// The tools that whoever is looking may see; `None` where that is none whatever there is.
    async fn tools(&self, session: Option<&Session>, find: &str) -> Option<ToolList> {
        let scopes = match session {
            _ if self.parts.public_tools => None,
            Some(session) => Some(&session.user.scopes),
            None => return None,
        };
        let find: String = find.chars().take(MAX_FIND_CHARACTERS).collect();
        Some(ToolList::of(&self.graded.of(self.endpoint.catalog()).await, scopes, &find))
    }

    fn visitor(&self, session: Option<Session>) -> Visitor {
        match (session, &self.server) {
            (Some(session), _) => Visitor::Teammate { address: session.user.address.to_string() },
            (None, Some(_)) => Visitor::SignedOut,
            (None, None) => Visitor::Anybody,
        }
    }
}

impl ForeignRegistration {
    async fn at(resource: &ResourceServer) -> Self {
        match resource.issuer().metadata().await {
            Ok(metadata) if metadata.registers_clients() => Self::ByThemselves,
            Ok(_) => Self::ByHand,
            Err(_) => Self::Unknown,
        }
    }
}

impl Graded {
    /// Whoever asks first waits for the grades, and all others with them. A thousand tools take a second: that
    /// is not spent on a thread that answers.
    async fn of(&self, catalog: Arc<Catalog>) -> Arc<[ToolGroup]> {
        let mut known = self.0.lock().await;
        if let Some(grades) = &*known
            && Arc::ptr_eq(&grades.of, &catalog)
        {
            return grades.groups.clone();
        }
        let to_grade = catalog.clone();
        match spawn_blocking(move || pages::graded(&to_grade)).await {
            Ok(groups) => {
                let groups: Arc<[ToolGroup]> = groups.into();
                *known = Some(Grades { of: catalog, groups: groups.clone() });
                groups
            }
            Err(error) => {
                tracing::error!(%error, "the tools could not be graded, and the page shows none");
                Arc::default()
            }
        }
    }
}
