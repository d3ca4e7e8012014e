use serde_json::json;

use super::*;
use crate::config::{FixedEnvironment, source_text::parse};

const FILE: &str = r#"
[server]
listen = "127.0.0.1:1"
[sources.stock-nl]
type = "sql"
[sources.stock-nl.tools.findStock]
sql = "SELECT 1"
"#;

fn overlay(variables: &[(&str, &str)]) -> (Value, String) {
    let (mut tree, places) = parse("b.toml", FILE).unwrap();
    let mut findings = Findings::new(places);
    apply(&mut tree, &FixedEnvironment::new(variables.iter().copied()), &mut findings);
    (tree, findings.into_faults().to_string())
}

#[track_caller]
fn gives(variable: &str, value: &str, pointer: &str, expected: Value) {
    let (tree, faults) = overlay(&[(variable, value)]);
    assert_eq!(faults, "");
    assert_eq!(tree.pointer(pointer), Some(&expected), "{tree:#}");
}

/// H1: every setting can come from the environment.
#[test]
fn a_variable_is_read_as_the_type_the_schema_asks_for() {
    gives("BRIDGEHEAD_SERVER__PUBLIC_URL", "https://a.b", "/server/public_url", json!("https://a.b"));
    gives("BRIDGEHEAD_PUBLIC_URL", "https://a.b", "/server/public_url", json!("https://a.b"));
    gives("BRIDGEHEAD_NAME", "12", "/name", json!("12"));
    gives("BRIDGEHEAD_ALLOWED_HOSTS", "a, b", "/server/allowed_hosts", json!(["a", "b"]));
    gives("BRIDGEHEAD_ALLOWED_HOSTS", "['a', 'b,c']", "/server/allowed_hosts", json!(["a", "b,c"]));
    gives("BRIDGEHEAD_ALLOWED_HOSTS", "", "/server/allowed_hosts", json!([]));
    gives("BRIDGEHEAD_AUTH__MODE", "api_key", "/auth/mode", json!("api_key"));
    gives("BRIDGEHEAD_AUTH__MODE", "api_key,oauth", "/auth/mode", json!(["api_key", "oauth"]));
    gives("BRIDGEHEAD_POLICY__DEFAULT__RETRIES", "2", "/policy/default/retries", json!(2));
    gives("BRIDGEHEAD_POLICY__DEFAULT__RETRIES", "two", "/policy/default/retries", json!("two"));
    gives("BRIDGEHEAD_POLICY__DEFAULT__MAX_RESULT_BYTES", "1024", "/policy/default/max_result_bytes", json!(1024));
    gives("BRIDGEHEAD_POLICY__DEFAULT__MAX_RESULT_BYTES", "1KiB", "/policy/default/max_result_bytes", json!("1KiB"));
    gives("BRIDGEHEAD_POLICY__DEFAULT__RATE_LIMIT", "{ queue = 3 }", "/policy/default/rate_limit/queue", json!(3));
    gives("BRIDGEHEAD_SOURCES__STOCK_NL__EFFECTS_TABLE", "true", "/sources/stock-nl/effects_table", json!(true));
}

#[test]
fn names_that_the_operator_chose_are_found_whatever_their_case() {
    gives("BRIDGEHEAD_SOURCES__STOCK_NL__URL", "sqlite:x", "/sources/stock-nl/url", json!("sqlite:x"));
    let title = "BRIDGEHEAD_SOURCES__STOCK_NL__TOOLS__FINDSTOCK__TITLE";
    gives(title, "Find", "/sources/stock-nl/tools/findStock/title", json!("Find"));
    gives("BRIDGEHEAD_SOURCES__NEW__TYPE", "sql", "/sources/new/type", json!("sql"));
}

#[test]
fn the_port_of_a_platform_replaces_the_address_unless_ours_is_set() {
    gives("PORT", "9000", "/server/listen", json!("0.0.0.0:9000"));
    gives("PORT", "", "/server/listen", json!("127.0.0.1:1"));
    let (tree, _) = overlay(&[("PORT", "9000"), ("BRIDGEHEAD_LISTEN", "[::]:80")]);
    assert_eq!(tree["server"]["listen"], "[::]:80");
}

#[test]
fn an_unknown_variable_is_a_fault_that_names_the_nearest() {
    let (_, faults) = overlay(&[
        ("BRIDGEHEAD_SERVER__LISTN", "x"),
        ("BRIDGEHEAD_SOURCES__STOCK_NL__SED", "x"),
        ("BRIDGEHEAD_WHATEVER_THIS_IS", "x"),
        ("BRIDGEHEAD_NAME__FIRST", "x"),
        ("BRIDGEHEAD_CONFIG", "x"),
        ("BRIDGEHEAD_KEYS", "x"),
        ("BRIDGEHEADX", "x"),
    ]);
    let expected = "\
$BRIDGEHEAD_NAME__FIRST: this environment variable names no setting
  mend: docs/reference/configuration.md lists the names; unset it if it is not meant for Bridgehead
$BRIDGEHEAD_SERVER__LISTN: this environment variable names no setting
  mend: did you mean `BRIDGEHEAD_SERVER__LISTEN`?
$BRIDGEHEAD_SOURCES__STOCK_NL__SED: this environment variable names no setting
  mend: did you mean `BRIDGEHEAD_SOURCES__STOCK_NL__SEED`?
$BRIDGEHEAD_WHATEVER_THIS_IS: this environment variable names no setting
  mend: docs/reference/configuration.md lists the names; unset it if it is not meant for Bridgehead";
    assert_eq!(faults, expected);
}

#[test]
fn a_setting_named_twice_is_a_fault() {
    let (_, faults) = overlay(&[("BRIDGEHEAD_LISTEN", "a"), ("BRIDGEHEAD_SERVER__LISTEN", "b")]);
    assert!(faults.starts_with("$BRIDGEHEAD_SERVER__LISTEN: server.listen: is given by another"), "{faults}");
}

/// H1: a service called `bridgehead` in the same namespace must not keep the pod from starting.
#[test]
fn variables_that_kubernetes_sets_for_services_are_let_pass() {
    let (_, faults) = overlay(&[
        ("BRIDGEHEAD_SERVICE_HOST", "10.0.0.1"),
        ("BRIDGEHEAD_SERVICE_PORT", "80"),
        ("BRIDGEHEAD_SERVICE_PORT_HTTP", "80"),
        ("BRIDGEHEAD_PORT", "tcp://10.0.0.1:80"),
        ("BRIDGEHEAD_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("BRIDGEHEAD_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("BRIDGEHEAD_ADMIN_SERVICE_HOST", "10.0.0.2"),
    ]);
    assert_eq!(faults, "");
    let (_, faults) = overlay(&[("BRIDGEHEAD_PORT", "80")]);
    assert!(faults.starts_with("$BRIDGEHEAD_PORT: this environment variable names no setting"), "{faults}");
}
