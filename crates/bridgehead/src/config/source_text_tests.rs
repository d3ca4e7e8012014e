use super::*;

fn read(text: &str) -> (Value, Places) {
    parse("b.toml", text).unwrap()
}

fn place(places: &Places, path: &KeyPath) -> String {
    format!("{} / {}", places.locate_key(path), places.locate(path))
}

#[test]
fn keys_and_values_are_found_in_every_way_to_write_a_table() {
    let (tree, places) = read(concat!(
        "name = \"x\"\n",
        "[sources.stock]\n",
        "type = \"sql\"\n",
        "[sources.stock.tools.find]\n",
        "  sql = \"\"\"\nSELECT\n\"\"\"\n",
        "parameters.sku = { type = \"string\", enum = [\"a\",\n \"b\"] }\n",
        "[policy.\"crm.*\"]\n",
        "rate_limit.queue = 3\n",
    ));
    assert_eq!(tree["sources"]["stock"]["tools"]["find"]["parameters"]["sku"]["enum"][1], "b");
    let tool = KeyPath::of(["sources", "stock", "tools", "find"]);
    for (path, expected) in [
        (KeyPath::of(["name"]), "b.toml:1:1 / b.toml:1:8"),
        (KeyPath::of(["sources"]), "b.toml:2:2 / b.toml:2:2"),
        (KeyPath::of(["sources", "stock"]), "b.toml:2:10 / b.toml:2:10"),
        (tool.clone(), "b.toml:4:22 / b.toml:4:22"),
        (tool.key("sql"), "b.toml:5:3 / b.toml:5:9"),
        (tool.dotted("parameters.sku"), "b.toml:8:12 / b.toml:8:12"),
        (tool.dotted("parameters.sku.type"), "b.toml:8:20 / b.toml:8:27"),
        (tool.dotted("parameters.sku.enum").index(1), "b.toml:9:2 / b.toml:9:2"),
        (KeyPath::of(["policy", "crm.*", "rate_limit", "queue"]), "b.toml:11:12 / b.toml:11:20"),
        // What is not there is found at what is around it.
        (tool.dotted("columns.units.type"), "b.toml:4:22 / b.toml:4:22"),
        (KeyPath::of(["server", "listen"]), "b.toml / b.toml"),
    ] {
        assert_eq!(place(&places, &path), expected, "{path}");
    }
}

#[test]
fn columns_count_characters_and_lines_may_end_with_crlf() {
    let (_, places) = read("a = \"é\"\r\nb = { \"ä\" = 1 }");
    assert_eq!(place(&places, &KeyPath::of(["b", "ä"])), "b.toml:2:7 / b.toml:2:13");
}

#[test]
fn the_order_of_the_file_is_kept() {
    let (tree, _) = read("z = 1\n[m]\nb = 1\na = 2\n[c]\n");
    assert_eq!(tree.to_string(), r#"{"z":1,"m":{"b":1,"a":2},"c":{}}"#);
}

#[test]
fn numbers_of_every_form_are_read_and_endless_ones_refused() {
    let (tree, _) = read("a = 0xff\nb = 1_000\nc = -2.5e3\nd = 2026-01-02");
    assert_eq!(tree.to_string(), r#"{"a":255,"b":1000,"c":-2500.0,"d":"2026-01-02"}"#);
    let faults = parse("b.toml", "a = 1\nb = inf\nc = 99999999999999999999\n").unwrap_err().to_string();
    assert!(faults.contains("b.toml:2:5: b: ") && faults.contains("b.toml:3:5: c: "), "{faults}");
}

#[test]
fn all_syntax_faults_are_named_at_once() {
    let faults = parse("b.toml", "a = \nb = 1\nname = Ware house\n[server\n").unwrap_err();
    assert!(faults.len() >= 3, "{faults}");
}
