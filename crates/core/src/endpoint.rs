//! An endpoint: one URL path with its catalog and the pipeline in front of it. The built app
//! holds a list of them, today of one; what is stored about calls carries the endpoint's id.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{Catalog, Pipeline};

/// Names an endpoint in the store, in logs and in the scope of keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(Arc<str>);

impl EndpointId {
    /// The id of the endpoint that a configuration without a list of endpoints describes.
    #[must_use]
    pub fn main() -> Self {
        Self(Arc::from("main"))
    }

    /// Reads an id as a store gives it back: 1 to 64 of the characters `a-z 0-9 _ -`; `None` for
    /// anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        ((1..=64).contains(&text.len()) && text.bytes().all(legal)).then(|| Self(Arc::from(text)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for EndpointId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path's catalog, shared and swapped whole, and the pipeline its calls pass.
pub struct Endpoint {
    /// Names this endpoint.
    pub id: EndpointId,
    /// What the server calls itself towards clients (`serverInfo.name`, MCP lifecycle).
    pub name: String,
    /// What an agent is told about the server as a whole (`instructions`, MCP lifecycle).
    pub instructions: Option<String>,
    catalog: ArcSwap<Catalog>,
    /// The steps every call passes.
    pub pipeline: Pipeline,
}

impl Endpoint {
    /// An endpoint that serves `catalog` through `pipeline`.
    #[must_use]
    pub fn new(
        id: EndpointId,
        name: String,
        instructions: Option<String>,
        catalog: Catalog,
        pipeline: Pipeline,
    ) -> Self {
        Self { id, name, instructions, catalog: ArcSwap::from_pointee(catalog), pipeline }
    }

    /// The catalog as it stands now. A call keeps the snapshot it started with.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Puts another catalog in place of the present one, whole.
    pub fn swap_catalog(&self, catalog: Catalog) {
        self.catalog.store(Arc::new(catalog));
    }
}
