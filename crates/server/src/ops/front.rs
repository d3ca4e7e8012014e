//! What stands at `/`: a few words for a person who opened the address in a browser. Nothing
//! about the tools, nothing secret.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use url::Url;

/// The page, made once.
#[derive(Clone)]
pub(crate) struct Front(Arc<str>);

impl Front {
    pub(crate) fn new(public_url: &Url, path: &str, name: &str) -> Self {
        let url = format!("{}{path}", public_url.as_str().trim_end_matches('/'));
        Self(format!("{name}: an MCP server, made with Bridgehead.\n\nAdd this URL to your agent platform or MCP client:\n\n    {url}\n").into())
    }
}

pub(crate) async fn page(State(front): State<Front>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], front.0.to_string()).into_response()
}
