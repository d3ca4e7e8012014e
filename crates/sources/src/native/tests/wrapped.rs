//! An `rmcp` server, written with rmcp's own macros and unaware of us, wrapped whole (S4).
#![expect(deprecated, reason = "MCP logging goes away in a later revision; servers of today use it")]

use std::{borrow::Cow, sync::Arc};

use bridgehead_core::{Call, CallError, Content, Effect, LogLevel, Notification, Outcome, Source};
use rmcp::{
    ErrorData, Json, RoleServer, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    model::{
        CallToolResult, ClientCapabilities, ContentBlock, ListToolsResult, LoggingLevel,
        LoggingMessageNotificationParam, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
        ServerConfig, Tool,
    },
    schemars::JsonSchema,
    service::RequestContext,
    tool, tool_handler, tool_router,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify as Signal;

use super::{super::*, Bench};

#[derive(Clone)]
struct Depot {
    #[expect(dead_code, reason = "rmcp's macros read it")]
    tool_router: ToolRouter<Self>,
    started: Arc<Signal>,
    cancelled: Arc<Signal>,
}

#[derive(Deserialize, JsonSchema)]
struct Find {
    /// Stock keeping unit.
    sku: String,
}

#[derive(Serialize, JsonSchema)]
struct Stock {
    sku: String,
    units: u32,
}

#[tool_router]
impl Depot {
    fn new() -> Self {
        Self { tool_router: Self::tool_router(), started: Arc::default(), cancelled: Arc::default() }
    }

    #[tool(description = "Units on hand", annotations(read_only_hint = true, open_world_hint = false))]
    async fn find(&self, Parameters(find): Parameters<Find>) -> Result<Json<Stock>, ErrorData> {
        if find.sku == "A-0" {
            return Err(ErrorData::invalid_params("A-0 was never sold", Some(json!({"sku": "A-0"}))));
        }
        Ok(Json(Stock { sku: find.sku, units: 7 }))
    }

    #[tool(title = "Picture of a shelf", annotations(destructive_hint = false))]
    async fn picture(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text("A shelf"), ContentBlock::image("cG5n", "image/png")])
    }

    #[tool(name = "files.clear", description = "Clears everything")]
    async fn clear(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text("The depot is locked.")])
    }

    #[tool(description = "Counts", annotations(read_only_hint = true))]
    async fn count(&self, context: RequestContext<RoleServer>) -> Result<String, ErrorData> {
        let token = context.meta.get_progress_token().unwrap();
        for step in 1..=40 {
            let progress = ProgressNotificationParam::new(token.clone(), f64::from(step)).with_total(40.0);
            context.peer.notify_progress(progress).await.unwrap();
        }
        let log = LoggingMessageNotificationParam::new(LoggingLevel::Notice, json!("counted")).with_logger("depot");
        context.peer.notify_logging_message(log).await.unwrap();
        let caller = context.extensions.get::<Context>().unwrap().caller().subject.clone();
        Ok(format!("counted for {caller}"))
    }

    #[tool(description = "Waits to be cancelled", annotations(read_only_hint = true))]
    async fn wait(&self, context: RequestContext<RoleServer>) -> String {
        let cancelled = self.cancelled.clone();
        tokio::spawn(async move {
            context.ct.cancelled().await;
            cancelled.notify_one();
        });
        self.started.notify_one();
        std::future::pending().await
    }

    #[tool(description = "Needs a client that samples")]
    async fn sample(&self) -> Result<String, ErrorData> {
        let required = ClientCapabilities::builder().enable_sampling().build();
        Err(ErrorData::missing_required_client_capability(required))
    }

    #[tool(description = "Panics", annotations(read_only_hint = true))]
    async fn panic(&self) -> String {
        panic!("as told")
    }
}

#[tool_handler]
impl ServerHandler for Depot {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_logging().build())
    }
}

async fn bench() -> Bench {
    Bench::of(RmcpServer::connect(Depot::new()).await.unwrap())
}

#[tokio::test]
async fn tools_are_listed_with_what_the_server_says_of_them() {
    let bench = bench().await;
    let mut names = bench.names();
    names.sort_unstable();
    assert_eq!(names, ["count", "files_clear", "find", "panic", "picture", "sample", "wait"]);
    let find = bench.tool("find");
    assert_eq!((find.effect, find.idempotent, find.open_world), (Effect::Read, true, false));
    assert_eq!(find.input_schema["properties"]["sku"]["description"], "Stock keeping unit.");
    let schema = find.output_schema.as_ref().unwrap();
    assert_eq!(schema["properties"]["units"]["type"], json!(["integer", "null"]), "relaxed");
    assert!(!schema.contains_key("required"), "{schema:?}");
    let picture = bench.tool("picture");
    assert_eq!((picture.effect, picture.idempotent, picture.open_world), (Effect::Write, false, true));
    assert_eq!(picture.description, "Picture of a shelf (the server gives no description of this tool)");
    assert_eq!(bench.tool("files_clear").effect, Effect::Destructive);
}

#[tokio::test]
async fn results_pass_through() {
    let bench = bench().await;
    assert_eq!(bench.structured("find", json!({"sku": "A-1"})).await, json!({"sku": "A-1", "units": 7}));
    let outcome = bench.run("picture", json!({})).await.unwrap();
    let image = Content::Image { data: "cG5n".into(), mime_type: "image/png".into() };
    assert_eq!(outcome.content, [Content::Text("A shelf".into()), image]);
}

/// D4: whose fault it was is kept.
#[tokio::test]
async fn failures_are_failures() {
    let bench = bench().await;
    let error = bench.run("files_clear", json!({})).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("upstream_failed", "The depot is locked."));
    let error = bench.run("find", json!({"sku": "A-0"})).await.unwrap_err();
    assert_eq!(error.code(), "invalid_arguments");
    assert!(error.to_string().contains("A-0 was never sold"), "{error}");
    let error = bench.run("sample", json!({})).await.unwrap_err();
    assert_eq!(error.code(), "client_lacks_capability");
    assert!(error.to_string().contains("`sampling`"), "{error}");
    assert_eq!(bench.run("panic", json!({})).await.unwrap_err().code(), "internal");
}

/// Each call hears what the server reports on it, all of it and in order, and nothing else.
#[tokio::test]
async fn progress_and_logs_reach_the_one_who_called() {
    let bench = bench().await;
    let other = Arc::new(super::Heard::default());
    let mut call = bench.call("count", json!({}));
    call.notify = other.clone();
    let (first, second) = tokio::join!(bench.run("count", json!({})), bench.pipeline.run(&bench.catalog, call));
    assert_eq!(first.unwrap().content, [Content::Text("counted for anonymous".into())]);
    assert_eq!(second.unwrap(), Outcome::text("counted for anonymous"));
    let mut expected: Vec<_> = (1..=40)
        .map(|step| Notification::Progress { progress: f64::from(step), total: Some(40.0), message: None })
        .collect();
    let (level, data) = (LogLevel::Notice, json!("counted"));
    expected.push(Notification::Log { level, logger: Some("depot".into()), data });
    assert_eq!(bench.heard.all(), expected);
    assert_eq!(other.all(), expected);
}

#[tokio::test]
async fn a_caller_that_cancels_a_read_cancels_the_request_inside() {
    let depot = Depot::new();
    let bench = Bench::of(RmcpServer::connect(depot.clone()).await.unwrap());
    let call = bench.call("wait", json!({}));
    let cancelled = call.cancelled.clone();
    let (result, ()) = tokio::join!(bench.pipeline.run(&bench.catalog, call), async {
        depot.started.notified().await;
        cancelled.cancel();
    });
    assert!(matches!(result, Err(CallError::Cancelled)));
    depot.cancelled.notified().await;
}

#[tokio::test]
async fn a_source_that_closes_cancels_what_runs() {
    let depot = Depot::new();
    let server = RmcpServer::connect(depot.clone()).await.unwrap();
    let call: Call = Bench::of(NativeSource::new([])).call("wait", json!({}));
    tokio::select! {
        _ = server.call("wait", &call) => panic!("it waits for ever"),
        () = async {
            depot.started.notified().await;
            server.close().await;
            depot.cancelled.notified().await;
        } => {}
    }
}

/// Gives its tools one by one, and after the last the first again where it is told to.
struct Paged {
    endless: bool,
}

impl ServerHandler for Paged {
    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let page: usize = request.and_then(|request| request.cursor).map_or(0, |cursor| cursor.parse().unwrap());
        let name: Cow<'static, str> = format!("tool_{page}").into();
        let mut result =
            ListToolsResult::with_all_items(vec![Tool::new_with_raw(name, None, Arc::new(Default::default()))]);
        result.next_cursor = match page {
            2 => self.endless.then(|| "1".to_owned()),
            _ => Some((page + 1).to_string()),
        };
        Ok(result)
    }
}

#[tokio::test]
async fn all_pages_are_listed_and_an_endless_list_is_an_error() {
    let bench = Bench::of(RmcpServer::connect(Paged { endless: false }).await.unwrap());
    assert_eq!(bench.names(), ["tool_0", "tool_1", "tool_2"]);
    assert_eq!(bench.tool("tool_0").description, "tool_0 (the server gives no description of this tool)");
    assert_eq!(bench.tool("tool_0").input_schema["type"], Value::from("object"));
    let error = RmcpServer::connect(Paged { endless: true }).await.err().unwrap();
    assert_eq!(error, ConnectError::EndlessList("1".into()));
}

/// Refuses to start.
struct Closed;

impl ServerHandler for Closed {
    async fn initialize(
        &self,
        _: rmcp::model::InitializeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<rmcp::model::InitializeResult, ErrorData> {
        Err(ErrorData::internal_error("closed on Sundays", None))
    }
}

#[tokio::test]
async fn a_server_that_does_not_start_is_an_error() {
    let error = RmcpServer::connect(Closed).await.err().unwrap();
    assert!(error.to_string().contains("closed on Sundays"), "{error}");
}
