//! What the command prints, in its three forms, beside `tests/lint/bridgehead.toml`. `UPDATE_GOLDEN=1` writes
//! it down anew.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Shown, json as json_form, sarif, shown, text};
use crate::{
    compose::{self, Ambient},
    config::{FixedEnvironment, load_text},
    golden::Golden,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lint");

/// The tools of the configuration, or those that are wanted of them.
async fn of_the_configuration(wanted: &[&str]) -> Shown {
    let text = std::fs::read_to_string(format!("{FOLDER}/bridgehead.toml")).unwrap();
    let environment = FixedEnvironment { directory: PathBuf::from(FOLDER), ..FixedEnvironment::default() };
    let description = std::fs::read_to_string(format!("{FOLDER}/depots.yaml")).unwrap();
    let environment = environment.with_file(format!("{FOLDER}/depots.yaml"), description);
    let path = Path::new("bridgehead.toml");
    let loaded = load_text(path, &text, &environment).unwrap();
    let catalog = compose::catalog(&loaded.settings, &loaded.places, &Ambient::default(), Vec::new()).await.unwrap();
    let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    shown(path, &loaded, &catalog, &wanted)
}

fn is_golden(name: &str, is: &str) {
    let mut golden = Golden::default();
    golden.compare(format!("{FOLDER}/{name}"), is);
    golden.assert("cli::lint");
}

/// D1: the worst first, each finding with its line and how to mend it there.
#[tokio::test]
async fn the_text_is_golden() {
    is_golden("lint.txt", &text::listing(&of_the_configuration(&[]).await, false));
}

#[tokio::test]
async fn colours_are_beside_the_words() {
    let shown = of_the_configuration(&[]).await;
    let (plain, coloured) = (text::listing(&shown, false), text::listing(&shown, true));
    assert!(coloured.contains("\u{1b}[1;31mF\u{1b}[0m") && !plain.contains('\u{1b}'));
    let mut stripped = String::new();
    for (index, part) in coloured.split('\u{1b}').enumerate() {
        stripped.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(stripped, plain);
}

#[tokio::test]
async fn the_json_is_golden() {
    let document = json_form::document(&of_the_configuration(&[]).await);
    is_golden("lint.json", &format!("{document:#}\n"));
}

/// The rules are in the reference; of them only the ids are compared here.
#[tokio::test]
async fn the_sarif_is_golden() {
    let mut log = sarif::log(&of_the_configuration(&[]).await);
    let driver = &mut log["runs"][0]["tool"]["driver"];
    driver["version"] = json!("VERSION");
    let ids: Vec<Value> = driver["rules"].as_array().unwrap().iter().map(|rule| rule["id"].clone()).collect();
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], ids[index]);
    }
    log["runs"][0]["tool"]["driver"]["rules"] = Value::from(ids);
    is_golden("lint.sarif", &format!("{log:#}\n"));
}

/// Tools that are asked for are judged beside all others, and nothing is said of all together.
#[tokio::test]
async fn some_tools_can_be_shown() {
    let shown = of_the_configuration(&["weigh", "search"]).await;
    let names: Vec<_> = shown.tools.iter().map(|tool| tool.graded.name.as_str()).collect();
    assert_eq!(names, ["weigh", "search"]);
    assert!(text::listing(&shown, false).contains("\n2 tools: "));
}
