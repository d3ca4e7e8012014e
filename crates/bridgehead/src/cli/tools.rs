//! `bridgehead tools [NAME]`: what an agent will see.

use bridgehead_core::{Entry, catalog::Catalog};
use bridgehead_lint::Graded;
use serde_json::{Value, json};

use super::{ConfigOption, Exit, Failure, Outcome, load, output};
use crate::{
    compose::{self, Ambient},
    graded,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One tool, in full, by its wire name or its address SOURCE.TOOL.
    name: Option<String>,
    #[command(flatten)]
    config: ConfigOption,
    /// JSON, as tools/list sends it and with what else is known.
    #[arg(long)]
    json: bool,
}

/// A tool and its grade.
type Line<'a> = (&'a Entry, &'a Graded);

pub(super) async fn run(args: Args) -> Outcome {
    let (_, loaded) = load(args.config.config.as_deref())?;
    let catalog = compose::catalog(&loaded.settings, &loaded.places, &Ambient::default(), Vec::new()).await?;
    // Whether an agent would confuse two tools is seen only among all of them.
    let report = graded::report(&catalog, &loaded.settings);
    let all: Vec<Line<'_>> = catalog.entries().iter().map(AsRef::as_ref).zip(&report.tools).collect();
    match (&args.name, args.json) {
        (Some(name), json) => {
            let wanted = find(&catalog, name)?;
            let found = all.iter().filter(|(entry, _)| entry.tool.wire_name == wanted.tool.wire_name);
            found.for_each(|line| output::print(&if json { described(line).to_string() } else { in_full(line) }));
        }
        (None, true) => output::print(&Value::from(all.iter().map(described).collect::<Vec<_>>()).to_string()),
        (None, false) => output::print(&listed(&all)),
    }
    for named in catalog.sources() {
        named.source.close().await;
    }
    Ok(Exit::Well)
}

/// The tool of that wire name or address.
pub(super) fn find<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Entry, Failure> {
    let by_address = || catalog.entries().iter().find(|entry| entry.tool.address.to_string() == name);
    catalog.find(name).or_else(by_address).map(AsRef::as_ref).ok_or_else(|| {
        let nearest = catalog
            .entries()
            .iter()
            .map(|entry| entry.tool.wire_name.as_str())
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let hint = nearest.map_or_else(String::new, |nearest| format!(" Did you mean `{nearest}`?"));
        Failure::usage(format!("there is no tool `{name}`.{hint} `bridgehead tools` lists them all."))
    })
}

fn described((entry, graded): &Line<'_>) -> Value {
    let tool = &entry.tool;
    let wire = bridgehead_server::mcp::tool_on_the_wire(tool);
    json!({
        "address": tool.address.to_string(),
        "effect": tool.effect,
        "scope": tool.scope,
        "grade": graded.grade,
        "tokens": graded.tokens,
        "tool": wire,
    })
}

fn listed(lines: &[Line<'_>]) -> String {
    let mut sum = 0;
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|(entry, graded)| {
            sum += graded.tokens;
            let first = entry.tool.description.lines().next().unwrap_or_default();
            let mut summary: String = first.chars().take(70).collect();
            if summary.len() < first.len() {
                summary.push('…');
            }
            vec![
                entry.tool.wire_name.to_string(),
                entry.tool.effect.to_string(),
                graded.grade.to_string(),
                format!("~{}", graded.tokens),
                entry.tool.address.to_string(),
                summary,
            ]
        })
        .collect();
    let table = output::table(&["NAME", "EFFECT", "GRADE", "TOKENS", "ADDRESS", "DESCRIPTION"], &rows);
    format!("{table}\n{} tools, about {sum} tokens in an agent's context\n", lines.len())
}

fn in_full((entry, graded): &Line<'_>) -> String {
    let tool = &entry.tool;
    let wire = bridgehead_server::mcp::tool_on_the_wire(tool);
    let pretty = |member: &str| {
        wire.get(member).and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_else(|| "none".to_owned())
    };
    format!(
        "{}  ({}, {}, needs {}, grade {}, about {} tokens)\n\n{}\n\nArguments:\n{}\n\nResult:\n{}\n",
        tool.wire_name,
        tool.address,
        tool.effect,
        tool.scope,
        graded.grade,
        graded.tokens,
        tool.description,
        pretty("inputSchema"),
        pretty("outputSchema"),
    )
}
