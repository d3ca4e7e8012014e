//! `bridgehead tools [NAME]`: what an agent will see.

use bridgehead_core::{Entry, catalog::Catalog};
use serde_json::{Value, json};

use super::{ConfigOption, Exit, Failure, Outcome, load, output};
use crate::compose::{self, Ambient};

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

/// How many bytes of JSON make a token, roughly, in the models that are about.
const BYTES_PER_TOKEN: usize = 4;

pub(super) async fn run(args: Args) -> Outcome {
    let (_, loaded) = load(args.config.config.as_deref())?;
    let catalog = compose::catalog(&loaded.settings, &loaded.places, &Ambient::default(), Vec::new()).await?;
    let found = match &args.name {
        Some(name) => vec![find(&catalog, name)?],
        None => catalog.entries().iter().map(AsRef::as_ref).collect(),
    };
    match (&args.name, args.json) {
        (Some(_), true) => found.iter().for_each(|entry| output::print(&described(entry).to_string())),
        (None, true) => output::print(&Value::from(found.into_iter().map(described).collect::<Vec<_>>()).to_string()),
        (Some(_), false) => found.iter().for_each(|entry| output::print(&in_full(entry))),
        (None, false) => output::print(&listed(&found)),
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

fn tokens(wire: &Value) -> usize {
    wire.to_string().len().div_ceil(BYTES_PER_TOKEN)
}

fn described(entry: &Entry) -> Value {
    let tool = &entry.tool;
    let wire = bridgehead_server::mcp::tool_on_the_wire(tool);
    json!({
        "address": tool.address.to_string(),
        "effect": tool.effect,
        "scope": tool.scope,
        "tokens": tokens(&wire),
        "tool": wire,
    })
}

fn listed(entries: &[&Entry]) -> String {
    let mut sum = 0;
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let cost = tokens(&bridgehead_server::mcp::tool_on_the_wire(&entry.tool));
            sum += cost;
            let first = entry.tool.description.lines().next().unwrap_or_default();
            let mut summary: String = first.chars().take(70).collect();
            if summary.len() < first.len() {
                summary.push('…');
            }
            vec![
                entry.tool.wire_name.to_string(),
                entry.tool.effect.to_string(),
                format!("~{cost}"),
                entry.tool.address.to_string(),
                summary,
            ]
        })
        .collect();
    let table = output::table(&["NAME", "EFFECT", "TOKENS", "ADDRESS", "DESCRIPTION"], &rows);
    format!("{table}\n{} tools, about {sum} tokens in an agent's context\n", entries.len())
}

fn in_full(entry: &Entry) -> String {
    let tool = &entry.tool;
    let wire = bridgehead_server::mcp::tool_on_the_wire(tool);
    let pretty = |member: &str| {
        wire.get(member).and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_else(|| "none".to_owned())
    };
    format!(
        "{}  ({}, {}, needs {}, about {} tokens)\n\n{}\n\nArguments:\n{}\n\nResult:\n{}\n",
        tool.wire_name,
        tool.address,
        tool.effect,
        tool.scope,
        tokens(&wire),
        tool.description,
        pretty("inputSchema"),
        pretty("outputSchema"),
    )
}
