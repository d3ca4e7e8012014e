//! The source over a real PostgreSQL server, called through the pipeline as a server would (S2, D3,
//! D4).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

mod callers;
mod changes;
mod effects;
mod opening;
mod over_http;
mod paging;
mod reading;
mod served;
mod types;

use std::time::Duration;

use bridgehead_core::{PolicyPatch, Source as _};
use bridgehead_harness::postgres::{Database, PASSWORD};
use bridgehead_sources::sql::{Column, Page, Parameter, SqlFault, SqlToolSettings};
use futures_util::future::join_all;
use serde_json::{Value, json};

use served::{Served, open, open_url, serve};

const STOCK: &str = "
    CREATE TABLE article (sku text PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE stock (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text NOT NULL REFERENCES article,
      units int CONSTRAINT no_less_than_nothing CHECK (units >= 0), price numeric(10, 2), note text
    );
    INSERT INTO article VALUES ('A-1', 'Mug'), ('A-2', 'Bowl'), ('B-1', 'Plate');
    INSERT INTO stock (sku, units, price, note) VALUES ('A-1', 5, 9.50, NULL), ('A-2', 0, 12.00, 'it''s');
    CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.units = 13 THEN RAISE EXCEPTION 'the counter is closed'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER closed BEFORE INSERT ON stock FOR EACH ROW EXECUTE FUNCTION closed();
";

fn tool(name: &str, sql: &str, parameters: &[(&str, Value)]) -> SqlToolSettings {
    let mut settings = SqlToolSettings::new(name, "Does what its statement says.", sql);
    settings.parameters = parameters
        .iter()
        .map(|(name, schema)| {
            let mut schema = schema.as_object().unwrap().clone();
            let required = schema.remove("required").is_none_or(|required| required == true);
            Parameter { name: (*name).into(), schema, required }
        })
        .collect();
    settings
}

fn paged(mut settings: SqlToolSettings, key: &[&str], size: usize) -> SqlToolSettings {
    settings.page = Some(Page { key: key.iter().map(|&name| name.to_owned()).collect(), size });
    settings
}

fn column(name: &str, type_: Option<&str>) -> Column {
    Column { name: name.into(), type_: type_.map(str::to_owned), description: Some(format!("The {name}.")) }
}

fn integer() -> Value {
    json!({"type": "integer", "description": "A number."})
}

fn string() -> Value {
    json!({"type": "string", "description": "A text."})
}

fn timeout(millis: u64) -> PolicyPatch {
    PolicyPatch { timeout: Some(Duration::from_millis(millis)), ..PolicyPatch::default() }
}
