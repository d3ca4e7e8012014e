//! From a catalog to its grades: says of each tool where the configuration has it, so that findings tell
//! which setting to change and on which line.

use bridgehead_core::{Catalog, Entry, ToolAddress};
use bridgehead_lint::{Finding, Origin, Report, SourceKind, Subject, lint};

use crate::config::{
    KeyPath, Place, Places, Settings,
    settings::{self, SourceSettings},
};

/// The grades of all tools, in the catalog's order.
pub(crate) fn report(catalog: &Catalog, settings: &Settings) -> Report {
    let subject = |entry: &std::sync::Arc<Entry>| {
        let address = &entry.tool.address;
        let source = settings.sources.iter().find(|source| source.name == *address.source);
        Subject::of(&entry.tool).from(source.map_or(Origin::Code, |source| origin(source, address)))
    };
    lint(&catalog.entries().iter().map(subject).collect::<Vec<_>>())
}

/// Where the configuration has what a finding is about: the setting to change, or what is around it.
pub(crate) fn place(finding: &Finding, address: Option<&ToolAddress>, places: &Places) -> Place {
    let table = address.map(|address| KeyPath::of(["sources", &address.source, "tools", &address.tool]));
    let setting = (!finding.mend.setting.is_empty()).then(|| KeyPath::of(&finding.mend.setting));
    setting.or(table).map_or_else(|| places.file(), |path| places.locate_key(&path))
}

fn origin(source: &SourceSettings, address: &ToolAddress) -> Origin {
    let tool = &*address.tool;
    let (kind, key) = match &source.kind {
        settings::SourceKind::Sql(_) => (SourceKind::Sql, tool),
        settings::SourceKind::Http(_) => (SourceKind::Http, tool),
        settings::SourceKind::OpenApi(openapi) => {
            let shapings = &openapi.settings.convert.tools;
            let renamed = shapings.iter().find(|(_, shaping)| shaping.name.as_deref() == Some(tool));
            // An operation's id may have signs that a name cannot.
            let same = || shapings.iter().find(|(key, _)| letters(key) == letters(tool));
            (SourceKind::OpenApi, renamed.or_else(same).map_or(tool, |(key, _)| key.as_str()))
        }
    };
    Origin::Source { kind, name: source.name.clone(), key: key.to_owned() }
}

fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}
