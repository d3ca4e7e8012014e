//! A source behind the pipeline.

use std::sync::Arc;

use bridgehead_core::{
    Call, CallError, Caller, Catalog, Pipeline, Policies, PolicyPatch, Randomness, RequestId, Secret, Source,
    SystemClock, ToolSpec, catalog::NamedSource,
};
use bridgehead_harness::postgres::Database;
use bridgehead_sources::sql::{self, SessionSetting, SqlFault, SqlSettings, SqlSource, SqlToolSettings};
use serde_json::{Map, Value};

pub(crate) async fn open_url(url: &str, tools: Vec<SqlToolSettings>) -> Result<SqlSource, Vec<SqlFault>> {
    open_settings(url, Vec::new(), tools).await
}

pub(crate) async fn open_settings(
    url: &str,
    session: Vec<SessionSetting>,
    tools: Vec<SqlToolSettings>,
) -> Result<SqlSource, Vec<SqlFault>> {
    let database = sql::Database::Postgres { url: Secret::new(url.to_owned()), session };
    SqlSource::open(SqlSettings { name: "stock".into(), database, effects_table: false, tools }, Arc::new(SystemClock))
        .await
}

pub(crate) async fn open(database: &Database, tools: Vec<SqlToolSettings>) -> Result<SqlSource, Vec<SqlFault>> {
    open_url(&database.url(), tools).await
}

pub(crate) async fn serve(database: &Database, tools: Vec<SqlToolSettings>) -> Served {
    Served::new(open(database, tools).await.map_err(|faults| format!("{faults:?}")).unwrap(), PolicyPatch::default())
}

pub(crate) struct Served {
    pub(crate) source: Arc<SqlSource>,
    catalog: Catalog,
    pipeline: Pipeline,
}

struct Zeros;
impl Randomness for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

impl Served {
    pub(crate) fn new(source: SqlSource, policy: PolicyPatch) -> Self {
        Self::with(source, "default", policy)
    }

    pub(crate) fn with(source: SqlSource, pattern: &str, policy: PolicyPatch) -> Self {
        let source = Arc::new(source);
        let named = NamedSource { name: "stock".into(), prefix: String::new(), source: source.clone() };
        let policies = Policies::new(vec![(pattern.into(), policy)]);
        let catalog = Catalog::build(vec![named], &policies).map_err(|faults| format!("{faults:?}")).unwrap();
        let pipeline = Pipeline::new(Arc::new(SystemClock), Arc::new(Vec::new()));
        Self { source, catalog, pipeline }
    }

    /// The result, which fits the tool's output schema.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, CallError> {
        self.call_as(&Caller::anonymous(), tool, arguments).await
    }

    /// As [`Served::call`], in a caller's name.
    pub(crate) async fn call_as(&self, caller: &Caller, tool: &str, arguments: Value) -> Result<Value, CallError> {
        let arguments = arguments.as_object().unwrap().clone();
        let call = Call::new(RequestId::generate(&Zeros), Arc::new(caller.clone()), tool, arguments);
        let outcome = self.pipeline.run(&self.catalog, call).await?;
        assert_eq!(outcome.meta, Map::new(), "the result of {tool} does not fit its schema");
        assert_eq!(outcome.content, [], "the result of {tool} does not fit its schema");
        let result = Value::Object(outcome.structured.unwrap());
        assert!(self.catalog.find(tool).unwrap().output.as_ref().unwrap().accepts(&result), "{result}");
        Ok(result)
    }

    pub(crate) async fn rows(&self, tool: &str, arguments: Value) -> Value {
        let shown = arguments.to_string();
        let result = self.call(tool, arguments).await;
        result.unwrap_or_else(|error| panic!("{tool} {shown}: {error:?}"))["rows"].take()
    }

    pub(crate) fn spec(&self, tool: &str) -> ToolSpec {
        self.source.tools().into_iter().find(|spec| spec.name == tool).unwrap()
    }

    /// What a column is published as.
    pub(crate) fn column(&self, tool: &str, column: &str) -> Value {
        self.spec(tool).output_schema.unwrap()["properties"]["rows"]["items"]["properties"][column].clone()
    }
}
