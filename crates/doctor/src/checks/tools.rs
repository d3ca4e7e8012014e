//! The tools as a platform hands them to a model: their list, their schemas, their quality, and one call of a
//! tool that changes nothing.

mod call;
mod list;
mod quality;
mod refuse;

use super::{access::Access, protocol::Spoken, reach::Reached};
use crate::{Check, visit::Visit};

/// The checks of this area, in order.
pub const CHECKS: &[&Check] = &[
    &list::TOOLS_LIST,
    &list::TOOLS_CAPABILITY,
    &list::TOOLS_PAGING,
    &list::TOOLS_LIST_TIME,
    &list::TOOLS_STABLE,
    &quality::TOOLS_UNIQUE,
    &quality::TOOLS_NAMES,
    &quality::TOOLS_INPUT_SCHEMA,
    &quality::TOOLS_PROPERTIES,
    &quality::TOOLS_SCHEMAS_VALID,
    &quality::TOOLS_OUTPUT_SCHEMA,
    &quality::TOOLS_DESCRIPTIONS,
    &quality::TOOLS_TEXTS,
    &quality::TOOLS_EFFECTS,
    &quality::TOOLS_HINTS,
    &quality::TOOLS_SIZE,
    &quality::TOOLS_GRADES,
    &call::TOOL_CALL,
    &call::TOOL_CALL_TIME,
    &call::TOOL_RESULT_SCHEMA,
    &call::TOOL_RESULT_TEXT,
    &call::TOOL_RESULT_SIZE,
    &call::TOOL_ERROR_FLAG,
    &refuse::TOOL_UNKNOWN,
    &refuse::TOOL_ARGUMENTS,
    &refuse::TOOL_ERROR_LEAK,
];

/// Looks, and ends the session.
pub async fn examine(visit: &mut Visit<'_>, _reached: &Reached, _access: &Access, spoken: &Spoken) {
    if let Some(listed) = list::examine(visit, spoken).await {
        let contradicted = quality::examine(visit, spoken, &listed);
        // A tool that says it reads and is named as if it wrote is not tried.
        let tools = listed.tools.iter().filter(|tool| !contradicted.iter().any(|name| name == list::name(tool)));
        let tools: Vec<_> = tools.cloned().collect();
        call::examine(visit, spoken, &tools).await;
        refuse::examine(visit, spoken, &tools).await;
    }
    // Whether that works was looked at.
    let _ = spoken.line.end(visit, &spoken.dialect).await;
}
