//! Leading a person to the page on which they enter a credential, for clients that can open URLs
//! (URL elicitation): by the error of MCP 2025-11-25, or the result that asks for input of 2026-07-28.
//! All others get the link in an error that the agent reads.

use std::collections::BTreeMap;

use bridgehead_core::{CredentialRequired, RequestId};
use http::request::Parts;
use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, ElicitRequest, ElicitRequestParams, ErrorCode, InputRequest,
        InputRequiredResult, ProtocolVersion,
    },
    service::RequestContext,
};
use serde_json::json;

use super::handler::{capabilities, is_2026};

/// `URLElicitationRequiredError` of MCP 2025-11-25.
const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);
/// What a session id ends with whose client declared at `initialize` that it can open URLs: there is no
/// session that could remember it.
const OPENS_URLS: &str = "-opens-urls";
/// The name under which a client answers.
const INPUT: &str = "credential";

pub(super) fn session_that_opens_urls(id: &RequestId) -> String {
    format!("{id}{OPENS_URLS}")
}

/// How this client can be asked to lead its person to a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// Not at all, or they have been asked already.
    Nothing,
    /// By an error.
    Error,
    /// By a result; the client calls again with the answer.
    Input,
}

impl Asking {
    pub(super) fn of(request: &CallToolRequestParams, context: &RequestContext<RoleServer>) -> Self {
        let parts = context.extensions.get::<Parts>();
        let header = |name: &str| parts.and_then(|parts| parts.headers.get(name)?.to_str().ok());
        let declared =
            capabilities(context).get("elicitation").is_some_and(|elicitation| elicitation["url"].is_object());
        if is_2026(context) {
            // Whoever was asked and calls again has not been there yet: the agent has to wait for them.
            let is_first = request.input_responses.is_none();
            return if declared && is_first { Self::Input } else { Self::Nothing };
        }
        let opens_urls = declared || header("mcp-session-id").is_some_and(|id| id.ends_with(OPENS_URLS));
        let revision = header("mcp-protocol-version").unwrap_or_default();
        if opens_urls && revision == ProtocolVersion::V_2025_11_25.as_str() { Self::Error } else { Self::Nothing }
    }

    pub(super) fn for_credential(
        self,
        required: &CredentialRequired,
        request_id: &RequestId,
    ) -> Result<CallToolResponse, ErrorData> {
        let (message, url, id) = (required.to_string(), required.url.clone(), request_id.as_str().to_owned());
        if self == Self::Input {
            let params = ElicitRequestParams::UrlElicitationParams { meta: None, message, url, elicitation_id: id };
            let asked = BTreeMap::from([(INPUT.to_owned(), InputRequest::Elicitation(ElicitRequest::new(params)))]);
            return Ok(InputRequiredResult::from_input_requests(asked).into());
        }
        let elicitation = json!({"mode": "url", "elicitationId": id, "url": url, "message": message});
        Err(ErrorData::new(URL_ELICITATION_REQUIRED, message, Some(json!({"elicitations": [elicitation]}))))
    }
}
