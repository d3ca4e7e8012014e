//! Every `test_*` tool that the MCP conformance suite calls, for the program beside this and for tests
//! that put something else in front of them.

mod tasks;
mod tools;

use std::sync::Arc;

use bridgehead::{NativeTool, Toolbox};

/// All of them.
#[must_use]
pub fn tools() -> Vec<NativeTool> {
    let mut all = Arc::new(tools::ConformanceTools).tools();
    all.extend([tools::json_schema_2020_12(), tools::header_parameter()]);
    all
}

/// What the scenarios for the tasks extension call.
#[must_use]
pub fn tasks() -> Vec<NativeTool> {
    Arc::new(tasks::TaskTools).tools()
}
