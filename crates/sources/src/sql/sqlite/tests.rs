//! The source over real SQLite files, called through the pipeline as a server would.

mod callers;
mod changes;
mod effects;
mod opening;
mod paging;
mod reading;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bridgehead_core::{
    Caller, Catalog, Pipeline, Policies, PolicyPatch, Randomness, RequestId, Source, SystemClock, ToolSpec,
    catalog::NamedSource,
};
use futures_util::future;
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::*;
use crate::sql::{Column, Database, Page, Parameter, SqlSettings, SqlSource, SqlToolSettings};

/// A directory with a database in it.
struct Place {
    directory: TempDir,
}

impl Place {
    fn empty() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    async fn with(sql: &str) -> Self {
        let place = Self::empty();
        place.run(sql).await;
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.file("stock.db")
    }

    /// Runs SQL beside the source, as another program would.
    async fn run(&self, sql: &str) {
        make(&self.database(), sql).await;
    }

    fn settings(&self, tools: Vec<SqlToolSettings>) -> SqlSettings {
        let database = Database::Sqlite { path: self.database(), seed: None };
        SqlSettings { name: "stock".into(), database, effects_table: false, tools }
    }

    async fn open(&self, tools: Vec<SqlToolSettings>) -> Result<SqlSource, Vec<SqlFault>> {
        SqlSource::open(self.settings(tools), Arc::new(SystemClock)).await
    }

    async fn serve(&self, tools: Vec<SqlToolSettings>) -> Served {
        Served::new(self.open(tools).await.map_err(|faults| format!("{faults:?}")).unwrap(), PolicyPatch::default())
    }
}

async fn make(file: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

/// A source behind the pipeline.
struct Served {
    source: Arc<SqlSource>,
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
    fn new(source: SqlSource, policy: PolicyPatch) -> Self {
        Self::with(source, "default", policy)
    }

    fn with(source: SqlSource, pattern: &str, policy: PolicyPatch) -> Self {
        let source = Arc::new(source);
        let named = NamedSource { name: "stock".into(), prefix: String::new(), source: source.clone() };
        let policies = Policies::new(vec![(pattern.into(), policy)]);
        let catalog = Catalog::build(vec![named], &policies).map_err(|faults| format!("{faults:?}")).unwrap();
        let pipeline = Pipeline::new(Arc::new(SystemClock), Arc::new(Vec::new()));
        Self { source, catalog, pipeline }
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<Value, CallError> {
        let caller = Arc::new(Caller::anonymous());
        let arguments = arguments.as_object().unwrap().clone();
        let call = Call::new(RequestId::generate(&Zeros), caller, tool, arguments);
        let outcome = self.pipeline.run(&self.catalog, call).await?;
        assert_eq!(outcome.meta, Map::new(), "the result of {tool} does not fit its schema");
        assert_eq!(outcome.content, [], "the result of {tool} does not fit its schema");
        let result = Value::Object(outcome.structured.unwrap());
        assert!(self.catalog.find(tool).unwrap().output.as_ref().unwrap().accepts(&result), "{result}");
        Ok(result)
    }

    fn spec(&self, tool: &str) -> ToolSpec {
        self.source.tools().into_iter().find(|spec| spec.name == tool).unwrap()
    }

    /// What a column is published as.
    fn column(&self, tool: &str, column: &str) -> Value {
        self.spec(tool).output_schema.unwrap()["properties"]["rows"]["items"]["properties"][column].clone()
    }
}

fn tool(name: &str, sql: &str, parameters: &[(&str, Value)]) -> SqlToolSettings {
    let mut settings = SqlToolSettings::new(name, "Does what its statement says.", sql);
    settings.parameters = parameters
        .iter()
        .map(|(name, schema)| {
            let mut schema = schema.as_object().unwrap().clone();
            let required = schema.remove("required").is_none_or(|required| required == true);
            Parameter { name: (*name).into(), schema, required }
        })
        .collect();
    settings
}

fn paged(mut settings: SqlToolSettings, key: &[&str], size: usize) -> SqlToolSettings {
    settings.page = Some(Page { key: key.iter().map(|&name| name.to_owned()).collect(), size });
    settings
}

fn column(name: &str, type_: Option<&str>) -> Column {
    Column { name: name.into(), type_: type_.map(str::to_owned), description: Some(format!("The {name}.")) }
}

fn integer() -> Value {
    json!({"type": "integer", "description": "A number."})
}

fn string() -> Value {
    json!({"type": "string", "description": "A text."})
}
