//! What rmcp asks of a server, answered from the endpoint's catalog and pipeline.

use std::sync::Arc;

use bridgehead_core::{Call, CallError, Caller, Endpoint, Refusal, RequestId, SignIn, effects::TaskVerb, permit};
use http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestMethod,
        CompleteRequestParams, CompleteResult, CustomRequest, CustomResult, ErrorCode, GetTaskParams, GetTaskResult,
        Implementation, InitializeRequestParams, InitializeResult, ListPromptsRequestMethod, ListPromptsResult,
        ListResourceTemplatesRequestMethod, ListResourceTemplatesResult, ListResourcesRequestMethod,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities,
        ServerConfig, SetLevelRequestMethod, SetLevelRequestParams, TASKS_EXTENSION_ID, Tool, UpdateTaskParams,
    },
    service::RequestContext,
};
use serde_json::{Map, Value};

use super::{convert, elicit::Asking, notify::ToClient, task};

/// Where in `_meta` of a call its idempotency key may stand, beside the arguments.
const KEY_IN_META: &str = "bridgehead/idempotency_key";

/// How long a client may keep the list of tools, in milliseconds.
const LIST_TTL_MS: u64 = 60_000;

/// The methods of each era that are served, for telling bad parameters from unknown methods.
const METHODS_WITH_HANDSHAKE: [&str; 5] = ["initialize", "ping", "tools/list", "tools/call", "logging/setLevel"];
const METHODS_OF_2026: [&str; 6] =
    ["server/discover", "tools/list", "tools/call", "tasks/get", "tasks/update", "tasks/cancel"];

/// One for each request, as rmcp wants it; all share the endpoint.
#[derive(Clone)]
pub(super) struct Handler {
    endpoint: Arc<Endpoint>,
}

impl Handler {
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint }
    }
}

/// Who is calling, as the gate left it with the request.
pub(super) fn caller(context: &RequestContext<RoleServer>) -> Result<(Arc<Caller>, RequestId), ErrorData> {
    let extensions = context.extensions.get::<Parts>().map(|parts| &parts.extensions);
    extensions
        .and_then(|extensions| Some((extensions.get::<Arc<Caller>>()?.clone(), extensions.get::<RequestId>()?.clone())))
        .ok_or_else(|| ErrorData::internal_error("the request did not come through the gate", None))
}

pub(super) fn is_2026(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}
impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder().enable_logging().enable_tools().build();
        if task::are_served(&self.endpoint.catalog()) {
            let extensions = capabilities.extensions.get_or_insert_default();
            extensions.insert(TASKS_EXTENSION_ID.to_owned(), Map::new());
        }
        let mut info = ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(self.endpoint.name.clone(), env!("CARGO_PKG_VERSION")));
        info.instructions.clone_from(&self.endpoint.instructions);
        info
    }

    /// Extensions are of 2026-07-28: what has a handshake is not told of them.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut result = self.negotiate_initialize(&request)?;
        result.capabilities.extensions = None;
        Ok(result)
    }

    /// Shows the tools that the caller may call; one who signed in by OAuth also those for which they
    /// can be asked for more.
    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if let Some(cursor) = request.and_then(|page| page.cursor) {
            let message = format!("Unknown cursor `{cursor}`: the list has one page. Ask again without a cursor.");
            return Err(ErrorData::invalid_params(message, None));
        }
        let (caller, _) = caller(&context)?;
        let catalog = self.endpoint.catalog();
        let tools = catalog
            .entries()
            .iter()
            .filter(|entry| {
                matches!(caller.sign_in, SignIn::OAuth { .. } | SignIn::ForeignOAuth { .. })
                    || permit(&caller, &entry.tool).is_ok()
            })
            .map(|entry| convert::tool(&entry.tool));
        let mut list = ListToolsResult::with_all_items(tools.collect());
        if is_2026(&context) {
            list.ttl_ms = Some(LIST_TTL_MS);
            list.cache_scope = Some(match caller.sign_in {
                SignIn::Open => CacheScope::Public,
                SignIn::IssuedKey { .. }
                | SignIn::UpstreamKey
                | SignIn::Headers
                | SignIn::OAuth { .. }
                | SignIn::ForeignOAuth { .. }
                | SignIn::Local => CacheScope::Private,
            });
        }
        Ok(list)
    }

    /// Asked by rmcp for the `x-mcp-header` members of a tool's input schema.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.endpoint.catalog().find(name).map(|entry| convert::tool(&entry.tool))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (caller, request_id) = caller(&context)?;
        let asking = Asking::of(&request, &context);
        let mut call =
            Call::new(request_id.clone(), caller, request.name.as_ref(), request.arguments.unwrap_or_default());
        call.idempotency_key = match context.meta.get(KEY_IN_META) {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => {
                let message = format!("Invalid params: `_meta[\"{KEY_IN_META}\"]` is not text. Use a UUID.");
                return Err(ErrorData::invalid_params(message, None));
            }
        };
        call.cancelled = context.ct.clone();
        call.client_capabilities = Arc::new(capabilities(&context));
        call.notify = Arc::new(ToClient::new(&context));
        call.takes_tasks = task::are_taken(&context);
        let taker = task::taker(&call);
        let result = match self.endpoint.pipeline.run(&self.endpoint.catalog(), call).await {
            Ok(outcome) => match task::created(&self.endpoint, taker, &outcome).await {
                Some(created) => return Ok(created),
                None => Ok(convert::result(outcome)),
            },
            Err(CallError::Refused(Refusal::CredentialRequired(required))) if asking != Asking::Nothing => {
                return asking.for_credential(&required, &request_id);
            }
            Err(error) => convert::failure(&error, request_id.as_str()),
        };
        result.map(CallToolResponse::from)
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let task = task::with(&self.endpoint, &context, &request.task_id, TaskVerb::Get).await?;
        Ok(GetTaskResult::new(task))
    }

    /// Acknowledged without effect: no task has asked for anything.
    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task::with(&self.endpoint, &context, &request.task_id, TaskVerb::Get).await.map(drop)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task::with(&self.endpoint, &context, &request.task_id, TaskVerb::Stop).await.map(drop)
    }

    /// What rmcp could not read as any request it knows: a method that nobody has, or a known one
    /// with parameters of another form.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method;
        let known: &[&str] = if is_2026(&context) { &METHODS_OF_2026 } else { &METHODS_WITH_HANDSHAKE };
        if known.contains(&method.as_str()) {
            let message = format!("Invalid params: {method} does not take params of this form. See the MCP schema.");
            return Err(ErrorData::invalid_params(message, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("Method not found: {method}"), None))
    }

    /// Accepted and forgotten before 2026-07-28: without sessions there is nothing to keep it in.
    async fn set_level(&self, _: SetLevelRequestParams, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        if is_2026(&context) { Err(ErrorData::method_not_found::<SetLevelRequestMethod>()) } else { Ok(()) }
    }

    // What is not advertised is not answered either; rmcp's own answers would be empty lists.

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>())
    }
}

pub(super) fn capabilities(context: &RequestContext<RoleServer>) -> Map<String, Value> {
    match context.client_capabilities().and_then(|capabilities| serde_json::to_value(capabilities).ok()) {
        Some(Value::Object(capabilities)) => capabilities,
        _ => Map::new(),
    }
}
