//! Where a tool comes from, as far as it decides what can be changed about it, and where.

/// Where a tool comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A source of the configuration.
    Source {
        /// What kind of source it is.
        kind: SourceKind,
        /// Its name: `[sources.NAME]`.
        name: String,
        /// The key of the tool's table: `[sources.NAME.tools.KEY]`.
        key: String,
    },
    /// Code beside the configuration.
    Code,
    /// A server of somebody else's, of which only the tools are known.
    Elsewhere,
}

/// The kinds of sources, by what their table of a tool can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// `sql`: the tool is written in the configuration, statement and parameters.
    Sql,
    /// `http`: the tool is written in the configuration, request and parameters.
    Http,
    /// `openapi`: the tool comes from a description, and is shaped.
    OpenApi,
    /// `mcp`: the tool comes from a server, and is shaped.
    Mcp,
}
