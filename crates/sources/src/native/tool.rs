//! One tool in code: what an agent sees of it and the code that answers its calls.

use std::{fmt, marker::PhantomData, sync::Arc};

use bridgehead_core::{CallError, Effect, Outcome, ToolSpec};
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Context, IntoOutcome, ToolError,
    schema::{self, InputSchema},
};

type Handler = Arc<dyn Fn(Context) -> BoxFuture<'static, Result<Outcome, CallError>> + Send + Sync>;

/// A tool and the code that answers its calls. Made by `#[tool]` or [`NativeTool::builder`].
#[derive(Clone)]
pub struct NativeTool {
    spec: ToolSpec,
    handler: Handler,
}

impl NativeTool {
    /// Starts a tool of this name. The effect has to be stated before the handler can be given,
    /// and there is no tool without a handler.
    pub fn builder(name: impl Into<String>) -> NativeToolBuilder<Unstated> {
        NativeToolBuilder {
            spec: ToolSpec { idempotent: false, per_caller: true, ..ToolSpec::new(name, "") },
            arguments: InputSchema::new(),
            whole: None,
            output: None,
            effect: PhantomData,
        }
    }

    /// The tool as the catalog sees it.
    #[must_use]
    pub const fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    pub(super) async fn run(&self, context: Context) -> Result<Outcome, CallError> {
        (self.handler)(context).await
    }
}

impl fmt::Debug for NativeTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeTool").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// The effect of the tool that is being built is not stated yet.
#[derive(Debug, Clone, Copy)]
pub struct Unstated;

/// The effect of the tool that is being built is stated.
#[derive(Debug, Clone, Copy)]
pub struct Stated;

/// Builds a [`NativeTool`].
#[derive(Debug)]
#[must_use = "a tool is made by giving the handler"]
pub struct NativeToolBuilder<E> {
    spec: ToolSpec,
    arguments: InputSchema,
    /// Stands instead of the arguments.
    whole: Option<Map<String, Value>>,
    output: Option<Map<String, Value>>,
    effect: PhantomData<E>,
}

impl<E> NativeToolBuilder<E> {
    /// What it does, when to use it and what it returns: all that an agent sees. Required; the
    /// catalog refuses a tool without.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.spec.description = text.into();
        self
    }

    /// A short name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.spec.title = Some(title.into());
        self
    }

    /// The scope that a caller needs, instead of `tools:read` or `tools:write`.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.spec.scope = Some(scope.into());
        self
    }

    /// A repeat with the same arguments changes nothing more. A tool that reads is idempotent
    /// without saying so.
    pub fn idempotent(mut self) -> Self {
        self.spec.idempotent = true;
        self
    }

    /// It reaches beyond one known system, for example into the web.
    pub fn open_world(mut self) -> Self {
        self.spec.open_world = true;
        self
    }

    /// Its answers do not depend on who calls, though its code could ask ([`Context::caller`]): then a
    /// policy may let callers share what is remembered of them (`cache.shared`). A tool made by `#[tool]`
    /// that does not take the context is one without saying so.
    pub fn same_for_all_callers(mut self) -> Self {
        self.spec.per_caller = false;
        self
    }

    /// An argument that has to be given. [`Context::argument`] takes it.
    pub fn argument<T: JsonSchema>(mut self, name: &str, description: &str) -> Self {
        self.arguments.add::<T>(name, description, true, None);
        self
    }

    /// An argument that may be missing or null; take it as `Option<T>`.
    pub fn optional_argument<T: JsonSchema>(mut self, name: &str, description: &str) -> Self {
        self.arguments.add::<Option<T>>(name, description, false, None);
        self
    }

    /// An argument that counts as `default` where it is missing; [`Context::argument_or`] takes
    /// it, and is told the default once more.
    pub fn argument_with_default<T: JsonSchema + Serialize>(
        mut self,
        name: &str,
        description: &str,
        default: T,
    ) -> Self {
        // A default that is no JSON is left out of the schema; the handler applies it all the same.
        let default = serde_json::to_value(default).ok();
        self.arguments.add::<T>(name, description, false, default);
        self
    }

    /// The whole input schema as it shall be published, word for word: JSON Schema 2020-12 with
    /// `type: object` at the root. The catalog refuses what is not. Stands
    /// instead of single arguments.
    pub fn input_schema_raw(mut self, schema: Value) -> Self {
        self.whole = Some(object(schema));
        self
    }

    /// The whole output schema, word for word. Without this, it is made of the type of the
    /// result: [`Json`](super::Json) has one.
    pub fn output_schema_raw(mut self, schema: Value) -> Self {
        self.output = Some(object(schema));
        self
    }

    /// It changes nothing.
    pub fn read(self) -> NativeToolBuilder<Stated> {
        self.stated(Effect::Read).idempotent()
    }

    /// It adds something, and leaves what was there.
    pub fn write(self) -> NativeToolBuilder<Stated> {
        self.stated(Effect::Write)
    }

    /// It changes or removes what was there.
    pub fn destructive(self) -> NativeToolBuilder<Stated> {
        self.stated(Effect::Destructive)
    }

    fn stated(mut self, effect: Effect) -> NativeToolBuilder<Stated> {
        self.spec.effect = effect;
        let Self { spec, arguments, whole, output, .. } = self;
        NativeToolBuilder { spec, arguments, whole, output, effect: PhantomData }
    }
}

impl NativeToolBuilder<Stated> {
    /// The code that answers a call, given the context and all arguments.
    pub fn handler<H, F, R>(self, handler: H) -> NativeTool
    where
        H: Fn(Context, Map<String, Value>) -> F + Send + Sync + 'static,
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome + 'static,
    {
        self.context_handler(move |context| {
            let arguments = context.arguments().clone();
            handler(context, arguments)
        })
    }

    /// As [`NativeToolBuilder::handler`], with the arguments read into a struct, of which the
    /// input schema is made: its fields are the arguments, their doc comments the descriptions.
    pub fn typed_handler<A, H, F, R>(mut self, handler: H) -> NativeTool
    where
        A: JsonSchema + DeserializeOwned + Send,
        H: Fn(Context, A) -> F + Send + Sync + 'static,
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome + 'static,
    {
        self.whole = Some(schema::input::<A>());
        self.context_handler(move |context| {
            let work = A::deserialize(context.arguments())
                .map_err(|error| ToolError::invalid_argument("", error.to_string()))
                .map(|arguments| handler(context, arguments));
            async move {
                match work {
                    Ok(work) => Ok(work.await),
                    Err(error) => Err(error),
                }
            }
        })
    }

    /// As [`NativeToolBuilder::handler`], for code that takes its arguments from the context.
    pub fn context_handler<H, F, R>(self, handler: H) -> NativeTool
    where
        H: Fn(Context) -> F + Send + Sync + 'static,
        F: Future<Output = R> + Send + 'static,
        R: IntoOutcome + 'static,
    {
        let mut spec = self.spec;
        spec.input_schema = self.whole.unwrap_or_else(|| self.arguments.finish());
        spec.output_schema = self.output.or_else(R::output_schema);
        let handler: Handler = Arc::new(move |context| {
            let work = handler(context);
            Box::pin(async move { work.await.into_outcome() })
        });
        NativeTool { spec, handler }
    }
}

/// What is no object is left to the catalog, which refuses an empty schema.
fn object(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}
