//! Tools in code as an agent meets them: through core's catalog and pipeline.

mod by_hand;
mod macros;
mod wrapped;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bridgehead_core::{
    AuditSink, Call, CallError, Caller, Catalog, Notification, Notify, Outcome, Pipeline, Policies, Randomness,
    RequestId, ScopeSet, Source, SystemClock, Tool, catalog::NamedSource,
};
use serde_json::{Map, Value};

struct Zeros;

impl Randomness for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Remembers what it is told.
#[derive(Default)]
struct Heard(Mutex<Vec<Notification>>);

#[async_trait]
impl Notify for Heard {
    async fn notify(&self, notification: Notification) {
        self.0.lock().unwrap().push(notification);
    }
}

impl Heard {
    fn all(&self) -> Vec<Notification> {
        self.0.lock().unwrap().clone()
    }
}

struct Bench {
    catalog: Catalog,
    pipeline: Pipeline,
    heard: Arc<Heard>,
}

impl Bench {
    fn of(source: impl Source) -> Self {
        let named = NamedSource { name: "t".into(), prefix: String::new(), source: Arc::new(source) };
        let catalog = match Catalog::build(vec![named], &Policies::default()) {
            Ok(catalog) => catalog,
            Err(faults) => panic!("{faults:?}"),
        };
        let audit: Vec<Arc<dyn AuditSink>> = Vec::new();
        let pipeline = Pipeline::new(Arc::new(SystemClock), Arc::new(audit));
        Self { catalog, pipeline, heard: Arc::default() }
    }

    fn tool(&self, name: &str) -> &Tool {
        &self.catalog.find(name).unwrap().tool
    }

    fn names(&self) -> Vec<&str> {
        self.catalog.entries().iter().map(|entry| entry.tool.wire_name.as_str()).collect()
    }

    fn call(&self, tool: &str, arguments: Value) -> Call {
        let request = RequestId::generate(&Zeros);
        let scopes = ScopeSet::parse("tools:write orders:write").unwrap();
        let caller = Caller { scopes, ..Caller::anonymous() };
        let mut call = Call::new(request, Arc::new(caller), tool, object(arguments));
        call.notify = self.heard.clone();
        call
    }

    async fn run(&self, tool: &str, arguments: Value) -> Result<Outcome, CallError> {
        self.pipeline.run(&self.catalog, self.call(tool, arguments)).await
    }

    async fn structured(&self, tool: &str, arguments: Value) -> Value {
        Value::Object(self.run(tool, arguments).await.unwrap().structured.unwrap())
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}
