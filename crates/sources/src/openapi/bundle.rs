//! References to other documents: what they lead to is read and put into the description itself,
//! below `x-bridgehead-documents`, so that everything behind knows only references of one document.
//! Which documents may be read is the business of whoever reads them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Map, Value};
use url::Url;

use super::document::{Document, parse_value};

/// Where the other documents stand in the description.
const PLACE: &str = "x-bridgehead-documents";
/// How many other documents a description may have.
const MAX_DOCUMENTS: usize = 256;
/// How deep a document is searched for references; nothing parsed is deeper.
const MAX_DEPTH: usize = 256;

/// Reads the other documents of a description.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The text of a document. `reference` is relative to the description, or an absolute URL
    /// where the description (or a document on the way) names one; it may lead above the
    /// description's own folder, and has no fragment.
    ///
    /// # Errors
    /// Why it cannot be read, in words for the operator.
    async fn read(&self, reference: &str) -> Result<String, String>;
}

/// For descriptions that stand alone: reads nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDocuments;

#[async_trait]
impl Documents for NoDocuments {
    async fn read(&self, _: &str) -> Result<String, String> {
        Err("other documents are not read here".into())
    }
}

/// Brings in every other document that `document` refers to, and theirs. Answers with what could
/// not be read and why; those references stay as they are, and each operation that needs one is
/// reported when it is converted.
pub async fn bundle(document: &mut Document, documents: &dyn Documents) -> Vec<String> {
    let mut bundle = Bundle::default();
    bundle.rewrite(document.root_mut(), "", None, 0, false);
    let mut complaints = Vec::new();
    let mut read = Map::new();
    while let Some(location) = bundle.waiting.pop() {
        let Some(&number) = bundle.numbers.get(&location) else { continue };
        let value = match documents.read(&location).await {
            Ok(text) => parse_value(&text).map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        };
        match value {
            Ok(mut value) => {
                bundle.rewrite(&mut value, &location, Some(number), 0, false);
                read.insert(number.to_string(), value);
            }
            Err(reason) => complaints.push(format!("`{location}`: {reason}")),
        }
    }
    if bundle.overflow {
        complaints.push(format!("there are more than {MAX_DOCUMENTS} other documents; the rest was not read"));
    }
    if let (false, Value::Object(root)) = (read.is_empty(), document.root_mut()) {
        root.insert(PLACE.into(), Value::Object(read));
    }
    complaints
}

#[derive(Default)]
struct Bundle {
    /// Location of each document to its number.
    numbers: BTreeMap<String, usize>,
    waiting: Vec<String>,
    overflow: bool,
}

impl Bundle {
    /// Points every reference of a document to where its target will stand. `location` is the
    /// document's own (empty for the description), `number` its place.
    fn rewrite(&mut self, value: &mut Value, location: &str, number: Option<usize>, depth: usize, names: bool) {
        if depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    match (key.as_str(), &mut *member) {
                        ("$ref", Value::String(reference)) => {
                            if let Some(new) = self.target(reference, location, number) {
                                *reference = new;
                            }
                        }
                        // Values of the API, not parts of the description.
                        ("example" | "examples" | "default" | "enum" | "const", _) if !names => {}
                        (key, member) => {
                            let names = !names && matches!(key, "properties" | "patternProperties" | "schemas");
                            self.rewrite(member, location, number, depth + 1, names);
                        }
                    }
                }
            }
            Value::Array(list) => {
                list.iter_mut().for_each(|item| self.rewrite(item, location, number, depth + 1, false));
            }
            _ => {}
        }
    }

    fn target(&mut self, reference: &str, location: &str, number: Option<usize>) -> Option<String> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let number = if document.is_empty() {
            number?
        } else {
            let target = join(location, document);
            if target.is_empty() {
                return Some(format!("#{fragment}"));
            }
            self.number(target)?
        };
        Some(format!("#/{PLACE}/{number}{fragment}"))
    }

    fn number(&mut self, location: String) -> Option<usize> {
        if let Some(number) = self.numbers.get(&location) {
            return Some(*number);
        }
        let number = self.numbers.len();
        if number >= MAX_DOCUMENTS {
            self.overflow = true;
            return None;
        }
        self.numbers.insert(location.clone(), number);
        self.waiting.push(location);
        Some(number)
    }
}

/// Where `reference` leads from the document at `base`, both relative to the description.
fn join(base: &str, reference: &str) -> String {
    if Url::parse(reference).is_ok() {
        return reference.to_owned();
    }
    if let Ok(base) = Url::parse(base) {
        return base.join(reference).map_or_else(|_| reference.to_owned(), |url| url.to_string());
    }
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    let mut segments: Vec<&str> = base.split('/').collect();
    segments.pop();
    for segment in reference.split('/') {
        match segment {
            "." | "" => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openapi::reference::Resolver;

    struct Files(BTreeMap<&'static str, &'static str>);

    #[async_trait]
    impl Documents for Files {
        async fn read(&self, reference: &str) -> Result<String, String> {
            self.0.get(reference).map(|text| (*text).to_owned()).ok_or_else(|| "there is no such file".to_owned())
        }
    }

    #[tokio::test]
    async fn other_documents_are_brought_in_and_refer_to_each_other() {
        let mut document = Document::of(
            json!({
                "openapi": "3.0.0",
                "a": {"$ref": "models/pet.yaml#/Pet"},
                "b": {"$ref": "models/whole.json"},
                "c": {"$ref": "gone.yaml#/X"},
                "example": {"$ref": "never.yaml"},
                "properties": {"example": {"$ref": "models/pet.yaml#/Tag"}},
            }),
            None,
        )
        .unwrap();
        let files = Files(BTreeMap::from([
            ("models/pet.yaml", "Pet: {properties: {tag: {$ref: '#/Tag'}, up: {$ref: '../other.yaml#/Up'}}}\nTag: 7"),
            ("models/whole.json", "{\"type\": \"string\"}"),
            ("other.yaml", "Up: {$ref: './models/pet.yaml#/Tag'}"),
        ]));
        let complaints = bundle(&mut document, &files).await;
        assert_eq!(complaints, ["`gone.yaml`: there is no such file"]);
        let root = document.root();
        let resolver = Resolver::new(root);
        let pet = resolver.resolve(&root["a"]).unwrap();
        assert_eq!(resolver.resolve(&pet["properties"]["tag"]), Ok(&json!(7)));
        assert_eq!(resolver.resolve(&pet["properties"]["up"]), Ok(&json!(7)));
        assert_eq!(resolver.resolve(&root["b"]), Ok(&json!({"type": "string"})));
        assert_eq!(resolver.resolve(&root["properties"]["example"]), Ok(&json!(7)));
        assert!(resolver.resolve(&root["c"]).is_err());
        assert_eq!(root["example"]["$ref"], "never.yaml");
    }
}
