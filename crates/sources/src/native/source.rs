//! Tools in code as a source.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use bridgehead_core::{Call, CallError, Fault, Outcome, Source, ToolSpec};

use super::{Context, NativeTool};

/// Something that offers several tools, usually by `#[tools]` on its `impl` block.
pub trait Toolbox: Send + Sync + 'static {
    /// The tools, each of which holds on to `self`.
    fn tools(self: Arc<Self>) -> Vec<NativeTool>;
}

/// A source of tools that are Rust code.
pub struct NativeSource {
    tools: Vec<NativeTool>,
    by_name: HashMap<String, usize>,
}

impl NativeSource {
    /// A source of these tools, in this order. Two of one name are a fault that the catalog
    /// reports.
    pub fn new(tools: impl IntoIterator<Item = NativeTool>) -> Self {
        let tools: Vec<_> = tools.into_iter().collect();
        let by_name = tools.iter().enumerate().map(|(index, tool)| (tool.spec().name.clone(), index)).collect();
        Self { tools, by_name }
    }

    /// A source of the tools of one toolbox.
    pub fn of(toolbox: impl Toolbox) -> Self {
        Self::new(Arc::new(toolbox).tools())
    }
}

#[async_trait]
impl Source for NativeSource {
    fn kind(&self) -> &'static str {
        "native"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| tool.spec().clone()).collect()
    }

    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError> {
        match self.by_name.get(tool).and_then(|index| self.tools.get(*index)) {
            Some(tool) => tool.run(Context::new(call)).await,
            None => Err(Fault::new(format!("looking for the native tool `{tool}`")).into()),
        }
    }
}
