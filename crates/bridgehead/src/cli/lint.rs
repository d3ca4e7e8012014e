//! `bridgehead lint [TOOL…]`: grades every tool, and says what to mend in the configuration and how. Which
//! rules there are is the matter of `bridgehead_lint`; here is what the command shows of them.

mod json;
mod sarif;
mod text;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use bridgehead_core::{Catalog, Tool};
use bridgehead_lint::{Finding, Grade, Graded, Report};

use super::{ConfigOption, Exit, Outcome, load, output, tools};
use crate::{
    compose::{self, Ambient},
    config::{Environment, Loaded, Place, SystemEnvironment},
    graded,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these tools, by wire name or address SOURCE.TOOL. They are judged beside all others.
    tools: Vec<String>,
    #[command(flatten)]
    config: ConfigOption,
    /// JSON, as docs/reference/lint.md describes it.
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// SARIF 2.1.0, for code hosts that show findings beside the configuration.
    #[arg(long)]
    sarif: bool,
    /// Exit with 1 where a tool has a worse grade: A, B, C, D or F.
    #[arg(long, value_name = "GRADE", default_value_t = Grade::D)]
    min_grade: Grade,
}

/// What is shown: some tools of a report, and where everything stands.
struct Shown {
    /// The configuration, as it was named.
    configuration: PathBuf,
    /// The worst first.
    tools: Vec<ShownTool>,
    /// Findings about all tools together.
    catalog: Vec<(Finding, Place)>,
}

struct ShownTool {
    tool: Tool,
    graded: Graded,
    /// Where each finding stands, in their order.
    places: Vec<Place>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let (path, loaded) = load(args.config.config.as_deref())?;
    let catalog = compose::catalog(&loaded.settings, &loaded.places, &Ambient::default(), Vec::new()).await?;
    let wanted = args.tools.iter().map(|name| Ok(tools::find(&catalog, name)?.tool.wire_name.to_string()));
    let wanted = wanted.collect::<Result<Vec<_>, super::Failure>>()?;
    let shown = shown(&path, &loaded, &catalog, &wanted);
    if args.json {
        output::print(&json::document(&shown).to_string());
    } else if args.sarif {
        output::print(&format!("{:#}", sarif::log(&shown)));
    } else {
        let no_color = SystemEnvironment::new().variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        output::print(&text::listing(&shown, output::colours_of_results(no_color)));
    }
    for named in catalog.sources() {
        named.source.close().await;
    }
    let below = shown.tools.iter().any(|tool| tool.graded.grade < args.min_grade);
    Ok(if below { Exit::No } else { Exit::Well })
}

/// The tools that are wanted, all where none is named; what is said of all together only with all of them.
fn shown(path: &Path, loaded: &Loaded, catalog: &Catalog, wanted: &[String]) -> Shown {
    let Report { tools, catalog: of_all } = graded::report(catalog, &loaded.settings);
    let mut shown: Vec<ShownTool> = catalog
        .entries()
        .iter()
        .zip(tools)
        .filter(|(_, graded)| wanted.is_empty() || wanted.contains(&graded.name))
        .map(|(entry, graded)| {
            let place = |finding| graded::place(finding, Some(&entry.tool.address), &loaded.places);
            let places = graded.findings.iter().map(place).collect();
            ShownTool { tool: entry.tool.clone(), graded, places }
        })
        .collect();
    // By points within a grade; the sort is stable, so the catalog's order stays where they are the same.
    shown.sort_by_key(|shown| (shown.graded.grade, shown.graded.points));
    let of_all = if wanted.is_empty() { of_all } else { Vec::new() };
    let located = of_all.into_iter().map(|finding| {
        let place = graded::place(&finding, None, &loaded.places);
        (finding, place)
    });
    Shown { configuration: path.to_owned(), catalog: located.collect(), tools: shown }
}

impl Shown {
    /// How many of the tools have each grade, the best first; grades that none has are left out.
    fn grades(&self) -> Vec<(Grade, usize)> {
        let count = |grade| self.tools.iter().filter(|shown| shown.graded.grade == grade).count();
        Grade::ALL.into_iter().map(|grade| (grade, count(grade))).filter(|(_, count)| *count > 0).collect()
    }

    fn tokens(&self) -> usize {
        self.tools.iter().map(|shown| shown.graded.tokens).sum()
    }
}
