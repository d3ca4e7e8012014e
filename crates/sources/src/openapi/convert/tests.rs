//! Golden pairs: each description in `testdata` with the tools and reports it becomes, and the
//! requests that calls become.

use std::{fs, path::Path};

use bridgehead_core::schema::Schema;
use serde_json::{Map, json};

use super::*;
use crate::openapi::{filter::Filter, sample::sample, settings::Presents};

fn testdata(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/openapi/testdata").join(name);
    fs::read_to_string(&path).unwrap_or_default()
}

fn settings() -> ConvertSettings {
    ConvertSettings {
        base_url: None,
        presents: Presents::At(vec![crate::http::Place::Header("x-api-key".parse().unwrap())]),
        ..ConvertSettings::default()
    }
}

fn document(name: &str) -> Document {
    let url = url::Url::parse("https://odd.example/docs/odd.yaml").unwrap();
    Document::parse(&testdata(name), Some(url)).unwrap()
}

fn converted(name: &str) -> Conversion {
    convert(&document(name), &settings())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that writes its own golden files when asked to")]
fn descriptions_become_the_golden_tools() {
    for name in ["pets", "odd"] {
        let conversion = converted(&format!("{name}.yaml"));
        let tools: Vec<Value> = conversion
            .operations
            .iter()
            .map(|one| {
                json!({
                    "operation": one.operation, "name": one.spec.name, "title": one.spec.title,
                    "description": one.spec.description, "described": one.is_described,
                    "effect": one.spec.effect, "idempotent": one.spec.idempotent,
                    "input": one.spec.input_schema, "output": one.spec.output_schema,
                })
            })
            .collect();
        let reports: Vec<String> = conversion.reports.iter().map(ToString::to_string).collect();
        let actual = format!("{:#}\n", json!({"tools": tools, "reports": reports}));
        let golden = format!("{name}.tools.json");
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/openapi/testdata").join(&golden);
            fs::write(path, &actual).unwrap();
        }
        let expected = testdata(&golden);
        assert!(expected == actual, "{golden} differs; run once with UPDATE_GOLDEN=1 and look at the difference");
    }
}

/// Samples of every tool fit the tool's own schema and become requests.
#[test]
fn made_up_arguments_fit_and_can_be_sent() {
    for name in ["pets.yaml", "odd.yaml"] {
        for operation in converted(name).operations {
            let schema = Schema::compile(&operation.spec.input_schema).unwrap();
            for every in [false, true] {
                let mut arguments = sample(&operation.spec.input_schema, every);
                if operation.spec.name == "rules" {
                    arguments.insert("a".into(), "x".into());
                }
                let faults = schema.faults(&Value::Object(arguments.clone()));
                assert!(faults.is_empty(), "{}: {faults:?} {arguments:?}", operation.operation);
                operation.binding.request(&arguments).unwrap();
            }
        }
    }
}

fn called(conversion: &Conversion, tool: &str, arguments: Value) -> String {
    let operation = conversion.operations.iter().find(|one| one.spec.name == tool);
    let Value::Object(arguments) = arguments else { panic!("no object") };
    let schema = Schema::compile(&operation.unwrap().spec.input_schema).unwrap();
    let faults = schema.faults(&Value::Object(arguments.clone()));
    assert!(faults.is_empty(), "{tool}: {faults:?}");
    match operation.unwrap().binding.request(&arguments) {
        Ok(request) => {
            let mut text = format!("{} {}", request.method, request.url);
            for (name, value) in &request.headers {
                if name != "accept" {
                    text.push_str(&format!("\n{name}: {}", value.to_str().unwrap()));
                }
            }
            if !request.body.is_empty() {
                text.push_str(&format!("\n\n{}", String::from_utf8_lossy(&request.body)));
            }
            text
        }
        Err(faults) => format!("refused: {} {}", faults[0].path, faults[0].message),
    }
}

#[test]
fn arguments_stand_where_the_description_says() {
    let pets = converted("pets.yaml");
    let odd = converted("odd.yaml");
    let twice = odd.operations.iter().find(|one| one.operation == "POST /twice").unwrap().spec.name.clone();
    for (conversion, tool, arguments, expected) in [
        (
            &pets,
            "pets_list",
            json!({"limit": 5, "filter_name": "a&b", "order": "up", "tags": ["x,y", "z"], "X-Trace": "t"}),
            "GET https://eu.pets.example/v1/pets?limit=5&filter%5Bname%5D=a%26b&%24order=up&tags=x%2Cy,z\nx-trace: t",
        ),
        (
            &pets,
            "addPet",
            json!({"name": "Rex", "weight": 1.5, "secret": "s"}),
            "POST https://eu.pets.example/v1/pets\ncontent-type: application/json\n\n\
             {\"name\":\"Rex\",\"secret\":\"s\",\"weight\":1.5}",
        ),
        (&pets, "changePet", json!({"id": 1}), "PATCH https://eu.pets.example/v1/pets/1"),
        (
            &pets,
            "changePet",
            json!({"id": 1, "tag": null}),
            "refused: /id_body is required as soon as the request has a body",
        ),
        (
            &pets,
            "changePet",
            json!({"id": 1, "id_query": "q", "id_body": "b", "tag": null}),
            "PATCH https://eu.pets.example/v1/pets/1?id=q\ncontent-type: application/merge-patch+json\n\n\
             {\"id\":\"b\",\"tag\":null}",
        ),
        (
            &pets,
            "putPhoto",
            json!({"id": 1, "body": "aGk="}),
            "PUT https://eu.pets.example/v1/pets/1/photo\ncontent-type: image/png\n\nhi",
        ),
        (
            &odd,
            "same",
            json!({"name": "a/../b", "name_query": "q", "name_header": "h", "name_cookie": "c", "name_body": null,
                   "idempotency_key_body": "k", "meta": {}, "additional_properties": {"x": "y"}}),
            "POST https://odd.example/api/same/a%2F..%2Fb?name=q\nname: h\nx-version: 2\n\
             content-type: application/json\ncookie: name=c\n\n\
             {\"x\":\"y\",\"name\":null,\"idempotency_key\":\"k\",\"$meta\":{}}",
        ),
        (
            &odd,
            "same",
            json!({"name": ".."}),
            "refused: /name stands alone in a segment of the path, where it cannot be empty, `.` or `..`",
        ),
        (
            &odd,
            "same",
            json!({"name": "a"}),
            "POST https://odd.example/api/same/a\nx-version: 2\ncontent-type: application/json\n\n{}",
        ),
        (&odd, twice.as_str(), json!({}), "POST https://odd.example/api/twice"),
        (
            &odd,
            twice.as_str(),
            json!({"body": [1, 2]}),
            "POST https://odd.example/api/twice\ncontent-type: application/json\n\n[1,2]",
        ),
        (
            &odd,
            "styles",
            json!({"label": ["a", "b"], "matrix": {"x": 1}, "simple": "s/t", "deep": {"a": "1", "b": [2, 3]},
                   "pipes": ["p", "q|r"], "open": "a/b?c&d", "where": {"x": 1}, "X-Ids": [1, 2], "session": "s;t"}),
            "GET https://odd.example/api/styles/.a.b/;matrix=x,1/x.s%2Ft?deep%5Ba%5D=1&deep%5Bb%5D%5B%5D=2\
             &deep%5Bb%5D%5B%5D=3&pipes=p%7Cq%7Cr&open=a/b?c%26d&where=%7B%22x%22%3A1%7D\n\
             x-ids: 1,2\ncookie: session=s%3Bt",
        ),
        (
            &odd,
            "form",
            json!({"amount": 1, "expand": ["a", "b"], "card": {"number": "4 2"}}),
            "POST https://odd.example/api/form\ncontent-type: application/x-www-form-urlencoded\n\n\
             amount=1&expand=a&expand=b&card%5Bnumber%5D=4+2",
        ),
        (
            &odd,
            "upload",
            json!({"file": "?"}),
            "refused: /file is not base64 (RFC 4648 §4, with padding): Invalid symbol 63, offset 0.",
        ),
        (&odd, "rules", json!({}), "refused:  Give at least one of: `a`; `b`."),
        (
            &odd,
            "rules",
            json!({"b": "x"}),
            "POST https://odd.example/api/rules\ncontent-type: application/json\n\n{\"b\":\"x\"}",
        ),
        (&odd, "export", json!({"file": "a b"}), "GET https://odd.example/api/export?kind=all&file=a%20b"),
    ] {
        assert_eq!(called(conversion, tool, arguments), expected, "{tool}");
    }
    let upload = called(
        &odd,
        "upload",
        json!({"file": "JVBERg==", "file_filename": "r.pdf", "more": ["aGk="], "note": {"text": "n"}, "tags": ["a", "b"]}),
    );
    for part in [
        "name=\"file\"; filename=\"r.pdf\"\r\ncontent-type: application/pdf\r\n\r\n%PDF\r\n",
        "name=\"more\"; filename=\"more\"\r\ncontent-type: application/octet-stream\r\n\r\nhi\r\n",
        "name=\"note\"\r\ncontent-type: application/json\r\n\r\n{\"text\":\"n\"}\r\n",
        "name=\"tags\"\r\n\r\na\r\n",
        "name=\"tags\"\r\n\r\nb\r\n",
    ] {
        assert!(upload.contains(part), "{part}\n{upload}");
    }
}

#[test]
fn shaping_changes_one_tool_and_its_faults_name_the_nearest() {
    let shaping = Shaping {
        name: Some("find_pets".into()),
        description: Some("Finds.".into()),
        hide: vec!["X-Trace".into()],
        set: Map::from_iter([("limit".to_owned(), json!(7))]),
        scope: Some("pets:read".into()),
        ..Shaping::default()
    };
    let wrong = Shaping { hide: vec!["id".into(), "tga".into()], name: Some("no good".into()), ..Shaping::default() };
    let settings = ConvertSettings {
        tools: BTreeMap::from([
            ("pets/list".to_owned(), shaping),
            ("changePet".to_owned(), wrong),
            ("getPte".to_owned(), Shaping::default()),
        ]),
        include: Filter { tags: Some(vec!["pet".into(), "pets".into()]), ..Filter::default() },
        exclude: Filter { operations: Some(vec!["add*".into()]), ..Filter::default() },
        ..settings()
    };
    let conversion = convert(&document("pets.yaml"), &settings);
    let faults: Vec<_> = conversion.faults.iter().map(ToString::to_string).collect();
    let all = faults.join("\n");
    for part in [
        "include.tags: No operation fits `pet`. Did you mean `pets`?",
        "tools.changePet.name",
        "`getPte`. Did you mean `getPet`?",
    ] {
        assert!(all.contains(part), "{part}\n{all}");
    }
    assert_eq!((conversion.operations.len(), conversion.filtered), (1, 6), "{all}");
    let tool = &conversion.operations[0];
    assert_eq!((tool.spec.name.as_str(), tool.spec.description.as_str()), ("find_pets", "Finds."));
    assert_eq!(tool.spec.scope.as_deref(), Some("pets:read"));
    let names: Vec<_> = tool.spec.input_schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["filter_name", "order", "tags"]);
    assert!(called(&conversion, "find_pets", json!({})).ends_with("/pets?limit=7"));

    let settings = ConvertSettings { include: Filter::default(), exclude: Filter::default(), ..settings };
    let all = convert(&document("pets.yaml"), &settings).faults.iter().map(|f| format!("{f}\n")).collect::<String>();
    for part in ["The API requires `id`", "no argument `tga`. Did you mean `tag`?"] {
        assert!(all.contains(part), "{part}\n{all}");
    }
}

#[test]
fn hostile_descriptions_end_and_stay_small() {
    let mut schemas = Map::new();
    for number in 0..200 {
        let to = |step: usize| json!({"$ref": format!("#/components/schemas/S{}", (number * 7 + step) % 200)});
        let properties: Map<String, Value> = (0..20).map(|step| (format!("p{step}"), to(step))).collect();
        schemas.insert(format!("S{number}"), json!({"allOf": [to(1), to(3)], "properties": properties}));
    }
    let mut deep = json!({"type": "string"});
    for _ in 0..50 {
        deep = json!({"type": "object", "properties": {"x": deep}});
    }
    let body = |schema: Value| {
        json!({"requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"content": {"application/json": {"schema": schema}}}}})
    };
    let root = json!({
        "openapi": "3.1.0",
        "paths": {
            "/a": {"post": body(json!({"$ref": "#/components/schemas/S0"}))},
            "/b": {"post": body(deep)},
            "/c": {"post": body(json!({"$ref": "#/components/schemas/Self"}))},
            "/d": {"$ref": "#/paths/~1d"},
            "/e": {"get": 7, "post": null, "parameters": 7},
            "/f": {"get": {"parameters": {"x": 1}, "responses": [], "tags": "x", "security": 7, "servers": "no"}},
            "/g": {"post": body(json!({"not": {"$ref": "#"}, "items": false, "properties": {"": {}, "$ref": {"type": "string"}}}))},
            "/h/{}/{a}{a}": {"get": {}},
        },
        "components": {"schemas": schemas},
    });
    let mut root = root;
    root["components"]["schemas"]["Self"] =
        json!({"$ref": "#/components/schemas/Self", "allOf": [{"$ref": "#/components/schemas/Self"}]});
    let document = Document::of(root, None).unwrap();
    let settings =
        ConvertSettings { base_url: Some(url::Url::parse("http://h").unwrap()), ..ConvertSettings::default() };
    let conversion = convert(&document, &settings);
    for one in &conversion.operations {
        Schema::compile(&one.spec.input_schema).unwrap();
        Schema::compile(one.spec.output_schema.as_ref().unwrap()).unwrap();
        let size = serde_json::to_string(&one.spec.input_schema).unwrap().len();
        assert!(size < 64 * 1024, "{} has {size} bytes", one.operation);
    }
    let operations: Vec<_> = conversion.operations.iter().map(|one| one.operation.as_str()).collect();
    assert_eq!(operations, ["POST /a", "POST /b", "POST /c", "GET /f", "POST /g", "GET /h/{}/{a}{a}"]);
    assert!(conversion.reports.iter().any(|report| report.operation.as_deref() == Some("* /d")));
}

/// A description of one POST with these parameters.
fn with_parameters(method: &str, parameters: Value) -> Document {
    let operation = json!({"operationId": "order", "summary": "Orders.", "parameters": parameters,
        "responses": {"200": {"description": "Done."}}});
    let root = json!({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "servers": [{"url": "https://shop.example"}],
        "paths": {"/orders": {method: operation}}});
    Document::of(root, None).unwrap()
}

fn header(name: &str, required: bool, schema: Value) -> Value {
    json!({"name": name, "in": "header", "required": required, "schema": schema})
}

/// D5: the API's own idempotency key is no argument of a tool with effects, and the tool says its header.
#[test]
fn the_idempotency_key_of_the_api_is_found() {
    let text = || json!({"type": "string"});
    for (method, header_schema, found) in [
        ("post", text(), true),
        ("delete", json!({}), true),
        ("post", json!({"type": "string", "format": "uuid"}), true),
        ("post", json!({"type": "string", "maxLength": 40, "minLength": 1}), true),
        // What takes no UUID stays an argument, and a read has no use for it.
        ("post", json!({"type": "string", "maxLength": 30}), false),
        ("post", json!({"type": "integer"}), false),
        ("get", text(), false),
    ] {
        let document = with_parameters(method, json!([header("X-Idempotency-Key", false, header_schema.clone())]));
        let conversion = convert(&document, &settings());
        let tool = &conversion.operations[0];
        let arguments = tool.spec.input_schema["properties"].as_object().unwrap();
        assert_eq!(tool.spec.upstream_idempotency_header.as_deref() == Some("X-Idempotency-Key"), found, "{method}");
        assert_eq!(arguments.is_empty(), found, "{method} {header_schema} {arguments:?}");
        let noted = conversion.reports.iter().any(|report| report.reason.contains("takes no UUID"));
        assert_eq!(noted, method != "get" && !found, "{method} {header_schema}");
    }
}

/// Where the credential stands in the header, it is the credential's.
#[test]
fn a_header_of_the_credential_is_no_key() {
    let document = with_parameters("post", json!([header("Idempotency-Key", true, json!({}))]));
    let presents = Presents::At(vec![crate::http::Place::Header("idempotency-key".parse().unwrap())]);
    let conversion = convert(&document, &ConvertSettings { presents, ..settings() });
    assert_eq!(conversion.operations[0].spec.upstream_idempotency_header, None);
}

#[test]
fn the_idempotency_key_of_the_api_may_be_hidden_and_not_set() {
    let document = with_parameters("post", json!([header("Idempotency-Key", true, json!({"type": "string"}))]));
    let shaped = |shaping: Shaping| {
        convert(&document, &ConvertSettings { tools: [("order".to_owned(), shaping)].into(), ..settings() }).faults
    };
    assert_eq!(shaped(Shaping { hide: vec!["Idempotency-Key".into()], ..Shaping::default() }), []);
    let set = [("Idempotency-Key".to_owned(), json!("k"))].into_iter().collect();
    let faults = shaped(Shaping { set, ..Shaping::default() });
    assert_eq!(faults[0].path, ["tools", "order", "set", "Idempotency-Key"]);
    assert!(faults[0].message.contains("Bridgehead sends the right one"), "{}", faults[0]);
}

/// D2: model APIs refuse an array without `items`, also one that there was no room for.
#[test]
fn every_list_says_of_what() {
    let property = |number: usize| {
        let text = "What it means, at some length. ".repeat(20);
        (
            format!("p{number}"),
            json!({"type": "array", "description": text, "items": {"type": "object", "properties": {
                "inner": {"type": ["array", "null"], "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            }}}),
        )
    };
    let schema = json!({"type": "object", "properties": (0..40).map(property).collect::<Map<String, Value>>()});
    let root = json!({"openapi": "3.1.0", "servers": [{"url": "http://h"}], "paths": {"/a": {"post": {
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
    }}}});
    let settings = ConvertSettings { max_input_bytes: 4096, max_output_bytes: 4096, ..ConvertSettings::default() };
    let conversion = convert(&Document::of(root, None).unwrap(), &settings);
    let spec = &conversion.operations[0].spec;
    let (mut lists, mut cut) = (0, 0);
    for schema in [&spec.input_schema, spec.output_schema.as_ref().unwrap()] {
        let mut waiting = vec![Value::Object(schema.clone())];
        while let Some(value) = waiting.pop() {
            let is_list =
                value["type"] == "array" || value["type"].as_array().is_some_and(|t| t.contains(&json!("array")));
            if is_list {
                lists += 1;
                assert!(value.get("items").is_some(), "{value}");
            }
            cut += usize::from(value["description"] == "Left out for its size.");
            waiting.extend(value.as_object().into_iter().flat_map(Map::values).cloned());
            waiting.extend(value.as_array().into_iter().flatten().cloned());
        }
    }
    assert!(lists > 10 && cut > 0, "{lists} {cut}");
}
