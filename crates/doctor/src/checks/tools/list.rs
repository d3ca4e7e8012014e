//! The list of tools: whole, in pages that end, soon, and the same each time.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use crate::{
    Area, Check,
    checks::protocol::Spoken,
    rpc::{self, Reply},
    visit::Visit,
};

/// No honest list has more pages.
const PAGES: usize = 50;
/// No model takes a longer list, in bytes.
const LONGEST: usize = 16 << 20;
/// Nor one of more tools.
const MOST: usize = 10_000;
/// Nobody waits longer for all pages.
const PATIENCE: Duration = Duration::from_secs(120);
/// Slow enough to be noticed.
const SLOW: Duration = Duration::from_secs(10);

/// The list at all.
pub(super) const TOOLS_LIST: Check = Check {
    id: "tools-list",
    area: Area::Tools,
    title: "tools/list gives tools",
    why: "A connection without tools is of no use; platforms show it as connected and empty, or as failed.",
    standard: "MCP 2025-11-25, Tools, \"Listing Tools\"",
    mend: "Answer tools/list with a list of tools, each an object with a name. Where callers see different tools, look \
           whether this one has the scopes for any.",
};

/// What was said before.
pub(super) const TOOLS_CAPABILITY: Check = Check {
    id: "tools-capability",
    area: Area::Tools,
    title: "A server with tools declares the capability",
    why: "SDKs do not ask a server for tools that has not declared them: the connection works, and has none.",
    standard: "MCP 2025-11-25, Tools, \"Capabilities\"",
    mend: "Name tools in the capabilities of initialize and of server/discover.",
};

/// The end of the list.
pub(super) const TOOLS_PAGING: Check = Check {
    id: "tools-paging",
    area: Area::Tools,
    title: "The pages of the list come to an end",
    why: "Clients ask for the next page as long as there is a cursor. One that comes back, or leads nowhere, keeps them \
          asking for ever, or loses the tools behind it.",
    standard: "MCP 2025-11-25, Utilities, \"Pagination\"",
    mend: "Leave nextCursor out of the last page, give each page a cursor of its own, and accept each that was given.",
};

/// How long it takes.
pub(super) const TOOLS_LIST_TIME: Check = Check {
    id: "tools-list-time",
    area: Area::Tools,
    title: "The list comes soon",
    why: "Platforms list the tools whenever an agent starts, and give up after ten to thirty seconds.",
    standard: "none: what platforms wait",
    mend: "Build the list when the server starts and answer out of memory.",
};

/// Twice the same.
pub(super) const TOOLS_STABLE: Check = Check {
    id: "tools-stable",
    area: Area::Tools,
    title: "The list is the same when it is asked for again",
    why: "Platforms keep what a person has approved by the tool's name and description, and models read a list from \
          the cache only where not a byte has changed. A list that changes by itself loses both.",
    standard: "MCP 2025-11-25, Tools, \"Listing Tools\"",
    mend: "Keep the order of tools and of their members fixed, leave times and random values out, and let all replicas \
           run the same version.",
};

/// The tools that were listed.
pub(super) struct Listed {
    pub(super) tools: Vec<Value>,
    /// Of all pages.
    pub(super) bytes: usize,
    pub(super) exchanges: Vec<usize>,
    longest: Duration,
    /// All pages together.
    took: Duration,
}

/// Why there is no list.
struct Broken {
    check: &'static Check,
    seen: String,
    exchange: usize,
}

/// Looks; `None` where there is no list.
pub(super) async fn examine(visit: &mut Visit<'_>, spoken: &Spoken) -> Option<Listed> {
    let listed = match list(visit, spoken).await {
        Ok(listed) => listed,
        Err(broken) => {
            visit.failed(broken.check, broken.seen, [broken.exchange]);
            return None;
        }
    };
    visit.passed(&TOOLS_PAGING, format!("{} of them", listed.exchanges.len()));
    if listed.longest > SLOW {
        let seen = format!("tools/list took {} seconds.", listed.longest.as_secs());
        visit.warning(&TOOLS_LIST_TIME, seen, listed.exchanges.clone());
    } else {
        visit.passed(&TOOLS_LIST_TIME, format!("{} ms", listed.longest.as_millis()));
    }
    if listed.tools.is_empty() {
        visit.failed(&TOOLS_LIST, "The list is empty.", listed.exchanges);
        return None;
    }
    visit.passed(&TOOLS_LIST, format!("{} tools, by revision {}", listed.tools.len(), spoken.revision));
    if spoken.declares_tools {
        visit.passed(&TOOLS_CAPABILITY, None);
    } else {
        visit.failed(&TOOLS_CAPABILITY, "There are tools, and capabilities does not name them.", []);
    }
    again(visit, spoken, &listed).await;
    Some(listed)
}

async fn again(visit: &mut Visit<'_>, spoken: &Spoken, first: &Listed) {
    let second = match list(visit, spoken).await {
        Ok(second) => second,
        Err(broken) => {
            visit.warning(&TOOLS_STABLE, format!("The second time: {}", broken.seen), [broken.exchange]);
            return;
        }
    };
    let Some(changed) = difference(&first.tools, &second.tools) else {
        visit.passed(&TOOLS_STABLE, None);
        return;
    };
    let exchanges = [first.exchanges.as_slice(), &second.exchanges].concat();
    visit.warning(&TOOLS_STABLE, changed, exchanges);
}

/// What differs between two lists, in words.
fn difference(first: &[Value], second: &[Value]) -> Option<String> {
    if first == second {
        return None;
    }
    let names = |tools: &[Value]| tools.iter().map(name).map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, after) = (names(first), names(second));
    let only: Vec<_> = before.symmetric_difference(&after).take(5).map(|name| rpc::short(name)).collect();
    if !only.is_empty() {
        return Some(format!("Only in one of two lists: {}.", only.join(", ")));
    }
    let changed = first.iter().find(|tool| !second.contains(tool));
    Some(changed.map_or_else(
        || "The order differs from one list to the next.".to_owned(),
        |tool| format!("{} is described differently from one list to the next.", rpc::short(name(tool))),
    ))
}

/// The name of a tool; empty where it has none.
pub(super) fn name(tool: &Value) -> &str {
    tool.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// All pages.
async fn list(visit: &mut Visit<'_>, spoken: &Spoken) -> Result<Listed, Broken> {
    let mut listed =
        Listed { tools: Vec::new(), bytes: 0, exchanges: Vec::new(), longest: Duration::ZERO, took: Duration::ZERO };
    let mut cursors = BTreeSet::new();
    let mut cursor: Option<String> = None;
    loop {
        let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
        let check = if cursor.is_some() { &TOOLS_PAGING } else { &TOOLS_LIST };
        let reply = match spoken.line.say(visit, &spoken.dialect, rpc::request("tools/list", params)).await {
            Ok(reply) => reply,
            Err(none) => {
                return Err(Broken { check, seen: format!("No answer: {}.", none.error), exchange: none.exchange });
            }
        };
        let exchange = reply.exchange();
        let broken = |check, seen: String| Err(Broken { check, seen, exchange });
        let Some(page) = page(&reply) else {
            return broken(check, format!("tools/list is answered with {}, without a list of tools.", reply.words()));
        };
        if page.iter().any(|tool| name(tool).is_empty()) {
            return broken(&TOOLS_LIST, "An element of the list is no tool: it has no name.".to_owned());
        }
        if listed.tools.len() + page.len() > MOST {
            return broken(&TOOLS_LIST, format!("The list has more than {MOST} tools."));
        }
        listed.tools.extend(page.iter().cloned());
        listed.bytes += reply.answer.received.body.len();
        listed.exchanges.push(exchange);
        listed.longest = listed.longest.max(reply.took());
        listed.took += reply.took();
        let next = reply.result().and_then(|result| result.get("nextCursor")).filter(|next| !next.is_null());
        let Some(next) = next else { return Ok(listed) };
        let Some(next) = next.as_str() else {
            return broken(&TOOLS_PAGING, format!("nextCursor is no text: {}.", rpc::short(&next.to_string())));
        };
        if !cursors.insert(next.to_owned()) {
            return broken(&TOOLS_PAGING, format!("The cursor {} comes a second time.", rpc::short(next)));
        }
        if listed.exchanges.len() >= PAGES || listed.bytes > LONGEST || listed.took > PATIENCE {
            let (pages, bytes, seconds) = (listed.exchanges.len(), listed.bytes, listed.took.as_secs());
            let seen = format!("After {pages} pages, {bytes} bytes and {seconds} seconds there is still another one.");
            return broken(&TOOLS_PAGING, seen);
        }
        cursor = Some(next.to_owned());
    }
}

fn page(reply: &Reply) -> Option<&Vec<Value>> {
    reply.result()?.get("tools")?.as_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let tool = |name: &str, description: &str| json!({"name": name, "description": description});
        let (a, b) = (tool("a", "one"), tool("b", "two"));
        assert_eq!(difference(&[a.clone(), b.clone()], &[a.clone(), b.clone()]), None);
        let order = difference(&[a.clone(), b.clone()], &[b.clone(), a.clone()]);
        assert!(order.is_some_and(|words| words.contains("order")));
        let gone = difference(&[a.clone(), b], std::slice::from_ref(&a));
        assert_eq!(gone.as_deref(), Some("Only in one of two lists: b."));
        let changed = difference(&[a], &[tool("a", "three")]);
        assert!(changed.is_some_and(|words| words.starts_with("a is described")));
    }
}
