//! Tools proposed for the tables of a database: one that lists the rows of each, in pages where a key
//! tells them apart, and one that reads a row by its key. Nothing that changes anything is proposed but
//! in a comment.

use std::{collections::BTreeSet, fmt::Write as _};

use bridgehead_sources::sql::{Table, TableColumn, identifier};

use super::{
    proposal::ProposedSource,
    text::{self, count, key, list, quoted, remark, snake, string},
};

/// How many tables get tools unless it is said which: more tools than that choose badly.
pub(in crate::cli) const TABLES: usize = 20;
/// Rows to a page, and of an answer that has no pages.
const ROWS: usize = 50;
/// A tool's name has 64 characters at most, `list_` included.
const LONGEST_STEM: usize = 56;

/// Where the database is.
#[derive(Debug, Clone)]
pub(in crate::cli) struct At {
    /// The name of the source.
    pub(in crate::cli) source: String,
    /// Its `url` as it stands in the configuration.
    pub(in crate::cli) url: String,
    /// What stands behind it as a remark.
    pub(in crate::cli) remark: Option<String>,
}

/// Proposes tools for the tables; for those of `only` where it names any, else for the first
/// [`TABLES`].
///
/// # Errors
/// A table of `only` that is not there, or no table at all.
pub(in crate::cli) fn propose(at: &At, tables: &[Table], only: &[String]) -> Result<ProposedSource, String> {
    let chosen = choose(tables, only)?;
    let mut toml = format!("[sources.{}]\ntype = \"sql\"\nurl = {}", key(&at.source), quoted(&at.url));
    if let Some(text) = &at.remark {
        let _ = write!(toml, "  # {}", remark(text));
    }
    toml.push_str(
        "\n\n# A tool is one statement; each :name in it is a parameter. An agent sees descriptions and nothing of the SQL, so\n\
         # say in them what the data means: units, codes, what a status stands for, which tool to use first. Take out what\n\
         # agents do not need: few tools are chosen better than many.\n",
    );
    let left_out: Vec<_> = tables.iter().filter(|table| !chosen.contains(table)).map(shown).collect();
    if !left_out.is_empty() {
        let _ =
            writeln!(toml, "# Without tools so far, `bridgehead init --tables` adds them: {}.", left_out.join(", "));
    }
    let mut names = BTreeSet::new();
    let mut tools = 0;
    for table in &chosen {
        tools += Tools { source: &at.source, table, stem: stem(table, &mut names) }.write(&mut toml);
    }
    if let Some(table) = chosen.iter().find(|table| !table.is_view) {
        toml.push_str(&change(&at.source, table));
    }
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        notes.push(format!("{} without tools: name those you need with --tables", count(left_out.len(), "table")));
    }
    Ok(ProposedSource { toml, tools, notes })
}

fn choose<'t>(tables: &'t [Table], only: &[String]) -> Result<Vec<&'t Table>, String> {
    if tables.is_empty() {
        return Err(
            "The database has no table that may be read. Name another one, or grant SELECT on its tables.".into()
        );
    }
    if only.is_empty() {
        return Ok(tables.iter().filter(|table| !table.columns.is_empty()).take(TABLES).collect());
    }
    let find = |name: &String| {
        tables.iter().find(|table| shown(table) == *name || table.name == *name).ok_or_else(|| {
            let known: Vec<_> = tables.iter().map(shown).collect();
            format!("There is no table `{name}`. The database has {}.", known.join(", "))
        })
    };
    only.iter().map(find).collect()
}

/// A table as people write it.
fn shown(table: &Table) -> String {
    match &table.schema {
        Some(schema) => format!("{schema}.{}", table.name),
        None => table.name.clone(),
    }
}

/// What the tools of a table are called by: unlike that of any other table.
fn stem(table: &Table, taken: &mut BTreeSet<String>) -> String {
    let stem: String = snake(&shown(table)).chars().take(LONGEST_STEM).collect();
    let stem = if stem.is_empty() { "table".to_owned() } else { stem };
    let mut name = stem.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{stem}_{number}");
        number += 1;
    }
    name
}

/// The tools of one table.
struct Tools<'a> {
    source: &'a str,
    table: &'a Table,
    stem: String,
}

impl Tools<'_> {
    /// Writes them, and says how many there are.
    fn write(&self, toml: &mut String) -> usize {
        let Self { table, .. } = self;
        let rule = if table.is_view { "view" } else { "table" };
        let _ = writeln!(toml, "\n# ---- {rule} {} ----", remark(&shown(table)));
        let hidden: Vec<_> =
            table.columns.iter().filter_map(|column| Some((column, self.why_hidden(column)?))).collect();
        for (column, why) in &hidden {
            let _ = writeln!(toml, "# {} is left out: {why}.", remark(&column.name));
        }
        let columns: Vec<_> =
            table.columns.iter().filter(|column| hidden.iter().all(|(other, _)| other.name != column.name)).collect();
        if columns.is_empty() {
            return 0;
        }
        self.list(toml, &columns);
        if table.primary_key.is_empty() {
            return 1;
        }
        self.get(toml, &columns);
        2
    }

    /// Bytes say nothing to an agent, and what looks like a secret is better not shown to one. A key
    /// stays whatever it is called: without it no row could be named.
    fn why_hidden(&self, column: &TableColumn) -> Option<&'static str> {
        if self.table.primary_key.contains(&column.name) {
            return None;
        }
        let declared = column.declared.to_ascii_uppercase();
        if declared.contains("BLOB") || declared == "BYTEA" {
            return Some("it holds bytes");
        }
        let name = snake(&column.name);
        let words: Vec<_> = name.split('_').collect();
        let secret = ["password", "passwd", "passphrase", "secret", "token", "salt", "apikey", "otp", "cvv"];
        let is_secret =
            words.iter().any(|word| secret.contains(word)) || name.contains("api_key") || name.contains("private_key");
        is_secret.then_some("its name sounds like a secret; add it to the statements if it is none")
    }

    fn list(&self, toml: &mut String, columns: &[&TableColumn]) {
        let Self { source, table, stem } = self;
        let filters: Vec<Filter<'_>> = self.filters(columns).collect();
        let _ = writeln!(toml, "[sources.{}.tools.list_{stem}]", key(source));
        let mut description = format!("Lists the rows of {}", shown(table));
        if let Some(comment) = &table.comment {
            let _ = write!(description, " ({})", remark(comment).trim_end_matches('.'));
        }
        if table.primary_key.is_empty() {
            let _ = write!(description, ", at most {ROWS}, in no particular order.");
        } else {
            let _ = write!(description, ", ordered by {}, up to {ROWS} to a page.", table.primary_key.join(" and "));
        }
        for filter in &filters {
            let _ = write!(description, " With {} only those of one {}.", filter.parameter, filter.table);
        }
        let _ = writeln!(toml, "description = {}", quoted(&format!("{description} {}", returns(columns))));
        self.statement(toml, columns, filters.iter().map(Filter::condition).collect());
        if table.primary_key.is_empty() {
            let _ = writeln!(toml, "row_limit = {ROWS}");
        } else {
            let _ = writeln!(
                toml,
                "page = {{ key = {}, size = {ROWS} }}",
                list(table.primary_key.iter().map(String::as_str))
            );
        }
        for filter in &filters {
            let text = format!("Only rows of this {}, by its key.", filter.table);
            parameter(toml, &filter.parameter, filter.column, &text, false);
        }
        meanings(toml, columns);
    }

    fn get(&self, toml: &mut String, columns: &[&TableColumn]) {
        let Self { source, table, stem } = self;
        let key_columns: Vec<_> = table
            .primary_key
            .iter()
            .filter_map(|name| table.columns.iter().find(|column| column.name == *name))
            .collect();
        let mut taken = BTreeSet::new();
        let key_columns: Vec<_> =
            key_columns.into_iter().map(|column| (parameter_name(column, &mut taken), column)).collect();
        let by: Vec<_> = key_columns.iter().map(|(parameter, _)| parameter.as_str()).collect();
        let _ = writeln!(toml, "\n[sources.{}.tools.get_{stem}]", key(source));
        let description = format!(
            "Reads one row of {} by {}. No rows mean that there is none. {}",
            shown(table),
            by.join(" and "),
            returns(columns)
        );
        let _ = writeln!(toml, "description = {}", quoted(&description));
        let conditions = key_columns
            .iter()
            .map(|(parameter, column)| format!("{} = :{parameter}", identifier(&column.name)))
            .collect();
        self.statement(toml, columns, conditions);
        for (name, column) in key_columns {
            let text = format!("The {} of the row; see list_{stem}.", column.name);
            parameter(toml, &name, column, &text, true);
        }
        meanings(toml, columns);
    }

    fn statement(&self, toml: &mut String, columns: &[&TableColumn], conditions: Vec<String>) {
        let Self { table, .. } = self;
        let names: Vec<_> = columns.iter().map(|column| identifier(&column.name)).collect();
        let from = match &table.schema {
            Some(schema) => format!("{}.{}", identifier(schema), identifier(&table.name)),
            None => identifier(&table.name),
        };
        let mut sql = format!("SELECT {}\nFROM {from}", text::wrapped(&names));
        for (index, condition) in conditions.iter().enumerate() {
            let _ = write!(sql, "\n{} {condition}", if index == 0 { "WHERE" } else { "  AND" });
        }
        // A literal string, in which nothing has to be escaped, where the names allow it.
        let _ = if sql.contains("'''") || sql.chars().any(|c| c.is_control() && c != '\n') {
            writeln!(toml, "sql = {}", string(&sql))
        } else {
            writeln!(toml, "sql = '''\n{sql}'''")
        };
    }

    /// One for each foreign key of one column that is shown.
    fn filters<'t>(&'t self, columns: &'t [&'t TableColumn]) -> impl Iterator<Item = Filter<'t>> {
        let mut taken: BTreeSet<String> = ["cursor", "page_size"].map(str::to_owned).into();
        self.table.references.iter().filter_map(move |reference| {
            let [name] = reference.columns.as_slice() else { return None };
            let column = columns.iter().find(|column| column.name == *name)?;
            Some(Filter { parameter: parameter_name(column, &mut taken), column, table: &reference.table })
        })
    }
}

/// A parameter that narrows a list to the rows that point at one of another table.
struct Filter<'t> {
    parameter: String,
    column: &'t TableColumn,
    table: &'t str,
}

impl Filter<'_> {
    fn condition(&self) -> String {
        let Self { parameter, column, .. } = self;
        format!("(:{parameter} IS NULL OR {} = :{parameter})", identifier(&column.name))
    }
}

/// A parameter's name, unlike those that are taken.
fn parameter_name(column: &TableColumn, taken: &mut BTreeSet<String>) -> String {
    let name = snake(&column.name);
    let mut name = if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("key_{name}") };
    while !taken.insert(name.clone()) {
        name.push_str("_of_row");
    }
    name
}

fn parameter(toml: &mut String, name: &str, column: &TableColumn, description: &str, required: bool) {
    let _ = write!(toml, "parameters.{name} = {{ type = \"{}\"", column.json_type);
    if let Some(format) = column.format {
        let _ = write!(toml, ", format = \"{format}\"");
    }
    if !required {
        toml.push_str(", required = false");
    }
    let _ = writeln!(toml, ", description = {} }}", quoted(description));
}

fn returns(columns: &[&TableColumn]) -> String {
    let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
    format!("Returns {}.", names.join(", "))
}

/// What the database's own comments say of columns.
fn meanings(toml: &mut String, columns: &[&TableColumn]) {
    for column in columns {
        if let Some(comment) = &column.comment {
            let _ = writeln!(toml, "columns.{} = {{ description = {} }}", key(&column.name), quoted(comment));
        }
    }
}

/// How a tool that changes something would look, as a comment.
fn change(source: &str, table: &Table) -> String {
    let mut taken = BTreeSet::new();
    let columns: Vec<_> = table
        .columns
        .iter()
        .filter(|column| !(table.primary_key.contains(&column.name) && column.json_type == "integer"))
        .take(3)
        .map(|column| (parameter_name(column, &mut taken), column))
        .collect();
    let names: Vec<_> = columns.iter().map(|(_, column)| identifier(&column.name)).collect();
    let marks: Vec<_> = columns.iter().map(|(name, _)| format!(":{name}")).collect();
    let mut text = format!(
        "\n# A tool may change something as well: an INSERT, UPDATE or DELETE needs the scope tools:write, and its caller gives\n\
         # an idempotency_key, so that a repeated call is not booked twice. For example:\n\
         #\n\
         # [sources.{}.tools.add_{}]\n\
         # description = \"Adds a row to {}. Say here what has to be true before, and what it sets off.\"\n\
         # sql = 'INSERT INTO {} ({}) VALUES ({})'\n",
        key(source),
        snake(&table.name),
        remark(&shown(table)),
        identifier(&table.name),
        names.join(", "),
        marks.join(", ")
    );
    for (name, column) in columns {
        let _ = writeln!(text, "# parameters.{name} = {{ type = \"{}\", description = \"…\" }}", column.json_type);
    }
    text
}
