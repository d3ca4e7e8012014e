//! Step 9. The size limit, which cuts by shape and leaves valid JSON, and the output schema, which
//! every result satisfies.

use serde_json::{Map, Value, json};

use crate::{CallError, Content, Entry, Outcome};

pub(super) fn shape(mut outcome: Outcome, entry: &Entry) -> Result<Outcome, CallError> {
    let limit = entry.tool.policy.max_result_bytes;
    if let Some(object) = outcome.structured.take() {
        let object = cut_object(object, limit);
        outcome.structured = Some(fit_schema(object, entry, &mut outcome)?);
    }
    cut_text(&mut outcome.content, limit);
    Ok(outcome)
}

/// A result without its required members would make strict clients throw, so what does not fit
/// the schema stands in the text, and the drift is reported.
fn fit_schema(
    object: Map<String, Value>,
    entry: &Entry,
    outcome: &mut Outcome,
) -> Result<Map<String, Value>, CallError> {
    let Some(schema) = &entry.output else { return Ok(object) };
    let whole = Value::Object(object);
    if schema.accepts(&whole) {
        return Ok(into_object(whole));
    }
    let faults = schema.drift(&whole);
    tracing::warn!(tool = %entry.tool.address, faults = ?faults, "the result does not fit the tool's output schema");
    if outcome.content.is_empty() {
        outcome.content.push(Content::Text(whole.to_string()));
    }
    let mut kept = into_object(whole);
    for fault in &faults {
        if let Some(member) = fault.path.strip_prefix('/').and_then(|rest| rest.split('/').next()) {
            kept.shift_remove(&member.replace("~1", "/").replace("~0", "~"));
        }
    }
    let kept = Value::Object(kept);
    if schema.accepts(&kept) {
        outcome
            .meta
            .insert("bridgehead/drift".into(), json!(faults.iter().map(|f| f.path.clone()).collect::<Vec<_>>()));
        return Ok(into_object(kept));
    }
    Err(crate::Fault::new(format!(
        "checking the result of {} against its output schema: {faults:?}",
        entry.tool.address
    ))
    .into())
}

fn into_object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn size(value: &impl serde::Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Writing JSON values into a counter cannot fail: no I/O, and every key is a string.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Cuts the longest lists from their ends, then long strings, until the object is small enough.
fn cut_object(object: Map<String, Value>, limit: usize) -> Map<String, Value> {
    let before = size(&object);
    if before <= limit {
        return object;
    }
    let mut value = Value::Object(object);
    // Room for the note itself.
    let target = limit.saturating_sub(200);
    let mut rows = 0;
    while size(&value) > target {
        let excess = size(&value) - target;
        let cut = match largest_list(&mut value) {
            Some(list) => {
                let cut = cut_list(list, excess);
                rows += cut;
                cut
            }
            None => largest_string(&mut value).map_or(0, |text| cut_string(text, excess)),
        };
        if cut == 0 {
            // Nothing but structure is left: no member can be shown within the limit.
            value = Value::Object(Map::new());
            break;
        }
    }
    let mut object = into_object(value);
    let cut_bytes = before.saturating_sub(size(&object));
    let mut note = match object.shift_remove("_omitted") {
        Some(Value::Object(note)) => note,
        _ => Map::new(),
    };
    let earlier = note.get("rows").and_then(Value::as_u64).unwrap_or(0);
    if rows > 0 {
        note.insert("rows".into(), json!(earlier + rows as u64));
    }
    note.insert("bytes".into(), json!(cut_bytes));
    note.entry("next").or_insert_with(|| {
        json!("The result was larger than this tool may return. Ask for less: narrow the arguments.")
    });
    object.insert("_omitted".into(), Value::Object(note));
    object
}

/// The list with the largest JSON that has anything in it, wherever it stands.
fn largest_list(value: &mut Value) -> Option<&mut Vec<Value>> {
    let path = largest(value, &|value| matches!(value, Value::Array(list) if list.len() > 1))?;
    match value.pointer_mut(&path)? {
        Value::Array(list) => Some(list),
        _ => None,
    }
}

fn largest_string(value: &mut Value) -> Option<&mut String> {
    let path = largest(value, &|value| matches!(value, Value::String(text) if text.len() > 64))?;
    match value.pointer_mut(&path)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn largest(value: &Value, wanted: &dyn Fn(&Value) -> bool) -> Option<String> {
    fn walk(value: &Value, path: &mut String, wanted: &dyn Fn(&Value) -> bool, best: &mut Option<(usize, String)>) {
        if wanted(value) {
            let bytes = size(value);
            if best.as_ref().is_none_or(|(most, _)| bytes > *most) {
                *best = Some((bytes, path.clone()));
            }
            return;
        }
        let mut visit = |key: &str, child: &Value, path: &mut String| {
            let length = path.len();
            path.push('/');
            path.push_str(&key.replace('~', "~0").replace('/', "~1"));
            walk(child, path, wanted, best);
            path.truncate(length);
        };
        match value {
            Value::Object(members) => members.iter().for_each(|(key, child)| visit(key, child, path)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(index, child)| visit(&index.to_string(), child, path))
            }
            _ => {}
        }
    }
    let mut best = None;
    walk(value, &mut String::new(), wanted, &mut best);
    best.map(|(_, path)| path)
}

/// Takes elements off the end until `excess` bytes are gone; one element stays. Returns how many
/// went.
fn cut_list(list: &mut Vec<Value>, excess: usize) -> usize {
    let (mut gone, mut bytes) = (0, 0);
    while list.len() > 1 && bytes < excess {
        if let Some(last) = list.pop() {
            bytes += size(&last) + 1;
            gone += 1;
        }
    }
    gone
}

/// Shortens a text by at least `excess` bytes where it is long enough, else to 64 bytes. Returns
/// how many bytes went.
fn cut_string(text: &mut String, excess: usize) -> usize {
    const MARK: &str = "… [cut]";
    let before = text.len();
    let mut keep = before.saturating_sub(excess + MARK.len()).max(32);
    while !text.is_char_boundary(keep) {
        keep -= 1;
    }
    text.truncate(keep);
    text.push_str(MARK);
    before.saturating_sub(text.len())
}

/// Text blocks share the limit; what is beyond is cut with a word about it.
fn cut_text(content: &mut [Content], limit: usize) {
    let mut left = limit;
    for block in content {
        if let Content::Text(text) = block {
            if text.len() > left {
                let mut keep = left;
                while !text.is_char_boundary(keep) {
                    keep -= 1;
                }
                let cut = text.len() - keep;
                text.truncate(keep);
                text.push_str(&format!("… [{cut} bytes left out; ask for less]"));
                left = 0;
            } else {
                left -= text.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~äöü€😀\"\\\\]{0,200}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
                prop::collection::hash_map("[a-z/~]{1,8}", inner, 0..8)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// D6: whatever comes in, what goes out is valid JSON within the limit and says that it was cut.
        #[test]
        fn a_cut_object_is_within_the_limit_and_says_so(value in any_json(), limit in 400_usize..4000) {
            let object: Map<String, Value> = [("result".to_owned(), value)].into_iter().collect();
            let before = size(&object);
            let cut = cut_object(object.clone(), limit);
            if before <= limit {
                prop_assert_eq!(cut, object);
            } else {
                prop_assert!(size(&cut) <= limit + 100, "{} > {}", size(&cut), limit);
                prop_assert!(cut.contains_key("_omitted"));
            }
        }
    }

    #[test]
    fn rows_go_first_and_are_counted() {
        let rows: Vec<Value> = (0..1000).map(|n| json!({"sku": format!("A-{n:04}")})).collect();
        let object = into_object(json!({"rows": rows, "title": "stock"}));
        let cut = cut_object(object, 2000);
        let left = cut["rows"].as_array().unwrap().len() as u64;
        assert_eq!(left + cut["_omitted"]["rows"].as_u64().unwrap(), 1000);
        assert!(left > 50 && cut["title"] == "stock");
    }

    #[test]
    fn one_long_text_is_shortened_and_stays_text() {
        let cut = cut_object(into_object(json!({"text": "ä".repeat(200_000)})), 4096);
        assert!(cut["text"].as_str().unwrap().ends_with("… [cut]"));
        assert!(size(&cut) <= 4096);
    }
}
