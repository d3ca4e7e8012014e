//! `/`: what this server is, and what to enter where to use it. The tools are shown to whoever may see
//! them.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::ResourceServer;
use bridgehead_core::{Catalog, Endpoint};
use bridgehead_lint::{Subject, lint};
use url::{Host, Url};

use crate::{
    browser::Visit,
    oauth::AuthorizationServer,
    pages::{Connect, ForeignRegistration, Reach, Site, ToolLine, View, WayIn},
};

/// What the page says of the ways in.
#[derive(Debug, Clone, Default)]
pub struct ConnectParts {
    /// In the order of the configuration; empty where nobody is asked.
    pub ways_in: Vec<WayIn>,
    /// Whether everybody sees the tools, or signed-in teammates alone.
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
    pub(crate) lines: Arc<Lines>,
    pub(crate) resource: Option<Arc<ResourceServer>>,
}

/// The tools as the page shows them, made once for each catalog: for a grade, each is looked at beside all
/// others.
#[derive(Default)]
pub(crate) struct Lines(ArcSwapOption<(Arc<Catalog>, Vec<ToolLine>)>);

pub(crate) async fn page(State(page): State<ConnectPage>, request: Request) -> Response {
    let signed_in = match &page.server {
        Some(server) => match server.session(&Visit::of(&request)).await {
            Ok(session) => session.is_some(),
            Err(response) => return response,
        },
        None => false,
    };
    let view = Connect {
        site: page.site.clone(),
        instructions: page.endpoint.instructions.clone(),
        endpoint_url: page.endpoint_url.clone(),
        reach: page.reach,
        ways_in: page.ways_in().await,
        accounts: page.server.is_some(),
        own_keys: page.server.as_ref().is_some_and(|server| server.keys.is_some()),
        tools: (page.parts.public_tools || signed_in).then(|| page.lines.of(page.endpoint.catalog())),
    };
    view.page().into_response()
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

impl Lines {
    fn of(&self, catalog: Arc<Catalog>) -> Vec<ToolLine> {
        if let Some(known) = &*self.0.load()
            && Arc::ptr_eq(&known.0, &catalog)
        {
            return known.1.clone();
        }
        let lines = lines(&catalog);
        self.0.store(Some(Arc::new((catalog, lines.clone()))));
        lines
    }
}

fn lines(catalog: &Catalog) -> Vec<ToolLine> {
    let tools = || catalog.entries().iter().map(|entry| &entry.tool);
    let graded = lint(&tools().map(Subject::of).collect::<Vec<_>>()).tools;
    tools()
        .zip(graded)
        .map(|(tool, graded)| ToolLine {
            name: tool.wire_name.to_string(),
            title: tool.title.clone(),
            description: tool.description.clone(),
            effect: tool.effect,
            grade: graded.grade,
        })
        .collect()
}

/// From where the address can be reached, as far as it tells: a platform calls from the internet, over
/// HTTPS.
pub(crate) fn reach(public_url: &Url) -> Reach {
    let loopback = match public_url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => true,
    };
    if public_url.scheme() == "https" && !loopback { Reach::Public } else { Reach::Local }
}
