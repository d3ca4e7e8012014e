//! An existing `rmcp` server, wrapped whole: its tools become tools of ours, called in process.
//! Its prompts and resources are not offered, and its tools are listed once.
#![expect(deprecated, reason = "MCP logging goes away in a later revision; servers of today use it")]

mod convert;
mod link;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bridgehead_core::{Call, CallError, Effect, Fault, Outcome, Source, ToolSpec};
use rmcp::{
    ServerHandler,
    model::{
        CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientRequest, Implementation,
        ListToolsRequest, LoggingLevel, NumberOrString, PaginatedRequestParams, ProgressToken, ProtocolVersion,
        ServerNotification, ServerResult, SetLevelRequest, SetLevelRequestParams, Tool,
    },
    service::{Peer, RequestContext, RoleServer, Service, serve_directly_with_ct, serve_server_with_ct},
};
use tokio_util::sync::CancellationToken;

use self::link::Link;
use super::Context;

/// Why an `rmcp` server could not be wrapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The server refused `initialize`.
    #[error("the rmcp server did not start: {0}")]
    Initialize(String),
    /// `tools/list` failed.
    #[error("the rmcp server did not list its tools: {0}")]
    ListTools(String),
    /// `tools/list` gave a cursor that it had given before.
    #[error("the rmcp server's list of tools has no end: the cursor {0:?} came twice")]
    EndlessList(String),
}

/// An existing `rmcp` server as a source of tools.
///
/// The server runs in this process, with its own `initialize` first. Each call has a connection of
/// its own to it, over which nothing is written as bytes: what the server reports while it works
/// (progress, logs) can only reach the one who called. The server finds the [`Context`] of the
/// call in `RequestContext::extensions`, for example to ask who is calling.
///
/// When the caller goes away from a tool that reads, the server's `RequestContext::ct` fires and
/// the handler is dropped; a tool with effects goes on to its end. A panic in the server is a
/// panic of the tool. The client that the server sees declares no capabilities: sampling,
/// elicitation and roots are refused.
///
/// What the server says of its tools is kept, with four changes. Names have `_` where model APIs
/// refuse a character. A missing description is made of the title or name, and says so. Output
/// schemas are [relaxed](super::relax), since nobody here answers for them. The effect comes from
/// the annotations: `readOnlyHint` reads, `destructiveHint: false` writes, everything else is
/// destructive.
pub struct RmcpServer {
    server: Arc<dyn Server>,
    tools: Vec<ToolSpec>,
    /// From a tool's name here to its name there.
    names: HashMap<String, String>,
    lifetime: CancellationToken,
    /// The connection of `initialize`, for what the server sends outside of calls.
    first: Mutex<Option<Box<dyn Send>>>,
}

impl RmcpServer {
    /// Starts the server and lists its tools, all pages.
    ///
    /// # Errors
    /// The server refuses to start or to list its tools.
    pub async fn connect(handler: impl ServerHandler) -> Result<Self, ConnectError> {
        let handler = Arc::new(handler);
        let lifetime = CancellationToken::new();
        let first = serve_server_with_ct(handler.clone(), Link::initializing(client()), lifetime.child_token())
            .await
            .map_err(|error| ConnectError::Initialize(error.to_string()))?;
        if ServerHandler::get_info(&handler).capabilities.logging.is_some() {
            ask_for_all_logs(&handler, first.peer()).await;
        }
        let (mut tools, mut names) = (Vec::new(), HashMap::new());
        for tool in list_tools(&handler, first.peer()).await? {
            let spec = convert::tool_spec(&tool);
            names.insert(spec.name.clone(), tool.name.into_owned());
            tools.push(spec);
        }
        let first = Mutex::new(Some(Box::new(first) as Box<dyn Send>));
        let server = Arc::new(Handler { handler, lifetime: lifetime.clone() });
        Ok(Self { server, tools, names, lifetime, first })
    }
}

#[async_trait]
impl Source for RmcpServer {
    fn kind(&self) -> &'static str {
        "native"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        self.tools.clone()
    }

    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError> {
        let spec = self.tools.iter().find(|spec| spec.name == tool);
        let (Some(spec), Some(name)) = (spec, self.names.get(tool)) else {
            return Err(Fault::new(format!("looking for the tool `{tool}` of an rmcp server")).into());
        };
        let work = self.server.call(name.clone(), Context::new(call));
        if spec.effect == Effect::Read {
            tokio::select! {
                biased;
                result = work => result,
                () = call.cancelled.cancelled() => Err(CallError::Cancelled),
            }
        } else {
            work.await
        }
    }

    async fn close(&self) {
        self.lifetime.cancel();
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The server with its type forgotten.
#[async_trait]
trait Server: Send + Sync + 'static {
    async fn call(&self, name: String, context: Context) -> Result<Outcome, CallError>;
}

struct Handler<H> {
    handler: Arc<H>,
    lifetime: CancellationToken,
}

#[async_trait]
impl<H: ServerHandler> Server for Handler<H> {
    async fn call(&self, name: String, context: Context) -> Result<Outcome, CallError> {
        // Fires when this future ends or is dropped, and ends the connection.
        let ending = self.lifetime.child_token();
        let _end = ending.clone().drop_guard();
        let (link, mut notifications) = Link::for_one_call();
        let connection = serve_directly_with_ct(self.handler.clone(), link, Some(client()), ending.child_token());
        let params = CallToolRequestParams::new(name).with_arguments(context.arguments().clone());
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let work = self.handler.handle_request(request, request_context(connection.peer(), &context, ending));
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                Some(notification) = notifications.recv() => forward(notification, &context).await,
                result = &mut work => break result,
            }
        };
        while let Ok(notification) = notifications.try_recv() {
            forward(notification, &context).await;
        }
        convert::outcome(result)
    }
}

/// What the server knows of a call.
fn request_context(
    peer: &Peer<RoleServer>,
    context: &Context,
    ending: CancellationToken,
) -> RequestContext<RoleServer> {
    let mut request = RequestContext::new(NumberOrString::Number(1), peer.clone());
    request.ct = ending;
    request.meta.set_progress_token(ProgressToken(NumberOrString::String(context.request_id().as_str().into())));
    // Which lines the client wants is decided on the way to it.
    request.meta.set_log_level(LoggingLevel::Debug);
    request.extensions.insert(context.clone());
    request
}

/// The client that the server sees.
fn client() -> ClientConfig {
    // The last revision with sessions: the server may report on a call while it runs.
    ClientConfig::new(ClientCapabilities::default(), Implementation::new("bridgehead", env!("CARGO_PKG_VERSION")))
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
}

async fn forward(notification: ServerNotification, context: &Context) {
    if let Some(notification) = convert::notification(notification) {
        context.call().notify.notify(notification).await;
    }
}

/// A server of before 2026-07-28 may hold back log lines until a client asks for them.
async fn ask_for_all_logs(handler: &impl ServerHandler, peer: &Peer<RoleServer>) {
    let request = SetLevelRequest::new(SetLevelRequestParams::new(LoggingLevel::Debug));
    let context = RequestContext::new(NumberOrString::Number(1), peer.clone());
    if let Err(error) = handler.handle_request(ClientRequest::SetLevelRequest(request), context).await {
        tracing::debug!(%error, "the rmcp server keeps its own level of logging");
    }
}

async fn list_tools(handler: &impl ServerHandler, peer: &Peer<RoleServer>) -> Result<Vec<Tool>, ConnectError> {
    let mut tools = Vec::new();
    let mut seen = HashSet::new();
    let mut cursor: Option<String> = None;
    loop {
        let params = Some(PaginatedRequestParams::default().with_cursor(cursor.take()));
        let request = ListToolsRequest { params, ..ListToolsRequest::default() };
        let context = RequestContext::new(NumberOrString::Number(1), peer.clone());
        let page = match handler.handle_request(ClientRequest::ListToolsRequest(request), context).await {
            Ok(ServerResult::ListToolsResult(page)) => page,
            Ok(_) => return Err(ConnectError::ListTools("the answer is no list of tools".into())),
            Err(error) => return Err(ConnectError::ListTools(error.to_string())),
        };
        tools.extend(page.tools);
        let Some(next) = page.next_cursor else { return Ok(tools) };
        if !seen.insert(next.clone()) {
            return Err(ConnectError::EndlessList(next));
        }
        cursor = Some(next);
    }
}
