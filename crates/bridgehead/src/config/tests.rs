use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

use super::{
    settings::{AuthSettings, Database, ModeSettings, PublicUrl, SourceKind, StoreSettings, VerifySettings},
    *,
};
use crate::golden::Golden;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Loads a text as `/etc/bridgehead.toml`. Lines `# $NAME=value` set variables, `# file PATH=text`
/// makes files.
fn load_as_test(name: &str, text: &str) -> Result<Loaded, Faults> {
    let mut environment = FixedEnvironment { directory: PathBuf::from("/etc"), ..FixedEnvironment::default() };
    for line in text.lines() {
        if let Some((name, value)) = line.strip_prefix("# $").and_then(|rest| rest.split_once('=')) {
            environment.variables.insert(name.to_owned(), value.to_owned());
        } else if let Some((path, text)) = line.strip_prefix("# file ").and_then(|rest| rest.split_once('=')) {
            environment.files.insert(path.into(), text.to_owned());
        }
    }
    load_text(Path::new(name), text, &environment)
}

fn outcome(name: &str, text: &str) -> String {
    match load_as_test(name, text) {
        Err(faults) => format!("{faults}\n"),
        Ok(loaded) => loaded.warnings.iter().fold("no faults\n".to_owned(), |mut text, warning| {
            let _ = writeln!(text, "warning: {warning}");
            text
        }),
    }
}

/// The golden pairs: `NAME.toml`, and in `NAME.txt` what is said about it.
fn pairs() -> BTreeMap<PathBuf, String> {
    let entries = std::fs::read_dir(format!("{CRATE}/tests/faults")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "toml"));
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (path.with_extension("txt"), outcome(&name, &text))
        })
        .collect()
}

/// Everything that can be wrong is named with its line and how to mend it, in these words. With
/// `UPDATE_GOLDEN=1` the words of now are written down as the expected ones.
#[test]
fn every_fault_reads_as_it_should() {
    let mut golden = Golden::default();
    for (file, outcome) in pairs() {
        golden.compare(file, &outcome);
    }
    golden.assert("every_fault");
}

/// One slip of each stage, and none hides another.
#[test]
fn faults_of_all_stages_are_found_in_one_go() {
    let text = std::fs::read_to_string(format!("{CRATE}/tests/faults/all_stages.toml")).unwrap();
    let faults = load_as_test("bridgehead.toml", &text).unwrap_err();
    assert!(faults.len() >= 12, "{faults}");
}

const KEY_A: &str = "bhs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const KEY_B: &str = "bhs_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
const KEY_C: &str = "bhs_CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA";

const SMALLEST: &str = r#"
auth.mode = "open"
[sources.stock]
type = "sql"
url = "sqlite:stock.db"
[sources.stock.tools.count_articles]
description = "Counts the articles."
sql = "SELECT count(*) AS articles FROM article"
"#;

#[test]
fn the_smallest_configuration_has_these_defaults() {
    let loaded = load_as_test("bridgehead.toml", SMALLEST).unwrap();
    assert_eq!(loaded.warnings, []);
    let settings = loaded.settings;
    assert_eq!((settings.name.as_str(), settings.instructions), ("Bridgehead", None));
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.path, "/mcp");
    assert_eq!(settings.server.public_url("127.0.0.1:9".parse().unwrap()).as_str(), "http://127.0.0.1:9/");
    assert_eq!(settings.server.admin_listen, None);
    assert!(matches!(settings.auth, AuthSettings::Open));
    assert_eq!(settings.store, StoreSettings::Sqlite("/etc/bridgehead.db".into()));
    assert_eq!(settings.secrets.make, Some("/etc/bridgehead.keys".into()));
    let SourceKind::Sql(sql) = &settings.sources[0].kind else { panic!("a SQL source") };
    assert_eq!(sql.database, Database::Sqlite { path: "/etc/stock.db".into(), seed: None });
    assert_eq!(sql.tools[0].row_limit, 200);
}

/// Everybody sees the tools on the connect page where everybody may call them, and else nobody who is not
/// signed in, unless the operator says otherwise.
#[test]
fn tools_are_shown_to_whom_the_configuration_says() {
    let rows = [
        ("open", "", true),
        ("api_key", "", false),
        ("oauth", "", false),
        ("open", "pages.tools = \"signed_in\"\n", false),
        ("oauth", "pages.tools = \"public\"\n", true),
        ("oauth", "[pages]\n", false),
    ];
    for (mode, pages, public) in rows {
        let text = SMALLEST.replace("auth.mode = \"open\"\n", &format!("auth.mode = \"{mode}\"\n{pages}"));
        let loaded = load_as_test("bridgehead.toml", &text).unwrap_or_else(|faults| panic!("{text}: {faults}"));
        assert_eq!((loaded.settings.pages.public_tools, loaded.warnings.len()), (public, 0), "{mode} {pages}");
    }
}

/// A program that brings tools of its own needs no source.
#[test]
fn beside_code_there_may_be_no_source() {
    let text = "auth.mode = \"open\"";
    let environment = FixedEnvironment::default();
    assert!(load_text(Path::new("b.toml"), text, &environment).is_err());
    assert!(load_beside_code(Path::new("b.toml"), text, &environment).unwrap().settings.sources.is_empty());
}

#[test]
fn a_file_that_is_not_there_is_one_fault() {
    let faults = load(Path::new("b.toml"), &FixedEnvironment::default()).unwrap_err().to_string();
    assert!(faults.starts_with("b.toml: the configuration cannot be read: "), "{faults}");
}

#[test]
fn the_warehouse_example_loads() {
    let path = Path::new(CRATE).join("../../examples/warehouse/bridgehead.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let loaded = load_text(&path, &text, &FixedEnvironment::default()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.warnings, []);
    let AuthSettings::SignIn(modes) = &loaded.settings.auth else { panic!() };
    let [ModeSettings::ApiKey(api_key)] = modes.as_slice() else { panic!() };
    assert!(api_key.header.is_bearer());
    let SourceKind::Sql(sql) = &loaded.settings.sources[0].kind else { panic!("a SQL source") };
    assert_eq!(sql.tools[0].name, "search_articles");
    assert_eq!(sql.tools[0].page.as_ref().unwrap().size, 20);
    let required: Vec<_> = sql.tools[0].parameters.iter().map(|p| (p.name.as_str(), p.required)).collect();
    assert_eq!(
        required,
        [("text", false), ("category", false), ("supplier_id", false), ("include_discontinued", false)]
    );
    let order: Vec<_> = sql.tools.iter().map(|tool| tool.name.as_str()).take(3).collect();
    assert_eq!(order, ["search_articles", "find_stock", "list_low_stock"]);
}

/// H1: a container is configured from outside, secrets included.
#[test]
fn the_environment_gives_what_the_file_does_not() {
    let environment = FixedEnvironment::new([
        ("PORT", "9000"),
        ("BRIDGEHEAD_PUBLIC_URL", "https://mcp.example.com"),
        ("BRIDGEHEAD_AUTH__MODE", "api_key"),
        ("BRIDGEHEAD_KEYS", KEY_A),
    ]);
    let loaded = load_text(Path::new("b.toml"), SMALLEST, &environment).unwrap();
    let server = &loaded.settings.server;
    assert_eq!(server.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(server.public_url, PublicUrl::Given("https://mcp.example.com".parse().unwrap()));
    assert!(matches!(loaded.settings.auth, AuthSettings::SignIn(_)));
    assert_eq!(loaded.settings.secrets.make, None);
    assert_eq!(loaded.settings.secrets.keys[0].expose(), KEY_A);
    let place = loaded.places.locate(&KeyPath::of(["server", "listen"]));
    assert_eq!(place, Place::Variable("PORT".into()));
}

#[test]
fn the_first_key_file_is_made_and_the_others_are_read() {
    let text = format!("{SMALLEST}[secrets]\nkeys = [\"file:new.keys\", \"file:/run/old.keys\", \"${{KEY}}\"]\n");
    let mut environment = FixedEnvironment::new([("KEY", KEY_C)]).with_file("/run/old.keys", KEY_B);
    let keys = |environment: &FixedEnvironment| {
        let secrets = load_text(Path::new("/etc/b.toml"), &text, environment).unwrap().settings.secrets;
        let texts: Vec<_> = secrets.keys.iter().map(|key| key.expose().to_owned()).collect();
        (secrets.make, texts)
    };
    let expected = (Some("/etc/new.keys".into()), vec![KEY_B.to_owned(), KEY_C.to_owned()]);
    assert_eq!(keys(&environment), expected);
    environment.files.insert("/etc/new.keys".into(), KEY_A.into());
    assert_eq!(keys(&environment), expected);
}

#[test]
fn policies_reach_the_core_as_they_are_written() {
    let text = format!(
        "{SMALLEST}[policy.default]\ntimeout = \"10s\"\n[policy.\"stock.*\"]\nmax_result_bytes = 1000\nrate_limit = {{ concurrency = 2, queue = 0 }}\n"
    );
    let policies = load_as_test("b.toml", &text).unwrap().settings.policies;
    let address = bridgehead_core::ToolAddress { source: "stock".into(), tool: "count_articles".into() };
    let policy = policies.resolve(&address);
    assert_eq!((policy.timeout.as_secs(), policy.max_result_bytes), (10, 1000));
    let concurrency = policy.concurrency.unwrap();
    assert_eq!((concurrency.running, concurrency.waiting), (2, 0));
}

/// H3: each key of a policy that is served, and what is filled in where it is left out.
#[test]
fn every_key_of_a_policy_reaches_the_core() {
    use bridgehead_core::policy::{CircuitPolicy, Idempotency, OnSharedLoss, Rate};
    use std::{num::NonZeroU32, time::Duration};

    let text = format!(
        r#"{SMALLEST}
[policy.default]
rate_limit = {{ per_caller = "60/minute" }}
[policy."stock.*"]
rate_limit = {{ upstream = "10/second", queue = 7 }}
on_shared_loss = "closed"
cache = {{ ttl = "5m", shared = true, stale_if_error = "1h", invalidated_by = ["stock.take", "erp.*"] }}
idempotency = "required"
idempotency_retention = "2d"
upstream_idempotency_header = "Idempotency-Key"
upstream_key_ttl = "12h"
retries = 2
circuit = {{ failures = 5, open_for = "30s" }}
"#
    );
    let policies = load_as_test("b.toml", &text).unwrap_or_else(|faults| panic!("{faults}")).settings.policies;
    let policy = policies.resolve(&bridgehead_core::ToolAddress { source: "stock".into(), tool: "find".into() });
    let number = |n| NonZeroU32::new(n).unwrap();
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    let caller = policy.caller_rate.unwrap();
    assert_eq!(caller.rate, Rate { calls: number(60), per: 60 * second, burst: number(60) });
    assert_eq!(&*caller.shared_by, "default");
    let upstream = policy.upstream_rate.unwrap();
    assert_eq!(upstream.rate, Rate { calls: number(10), per: second, burst: number(1) });
    assert_eq!((&*upstream.shared_by, upstream.waiting), ("stock/stock.*", 7));
    assert_eq!(policy.on_shared_loss, OnSharedLoss::Closed);
    let cache = policy.cache.unwrap();
    assert_eq!((cache.ttl, cache.shared, cache.stale_if_error), (300 * second, true, hour));
    assert_eq!(cache.invalidated_by, ["stock.take", "erp.*"]);
    assert_eq!((policy.idempotency, policy.idempotency_retention), (Some(Idempotency::Required), 48 * hour));
    assert_eq!(
        (policy.upstream_idempotency_header.as_deref(), policy.upstream_key_ttl),
        (Some("Idempotency-Key"), 12 * hour)
    );
    assert_eq!(
        (policy.retries, policy.circuit),
        (2, Some(CircuitPolicy { failures: number(5), open_for: 30 * second }))
    );
}

/// A2: where nobody judges a sign-in, anyone may list the tools, and the operator is told so.
#[test]
fn a_sign_in_that_nobody_judges_is_warned_of() {
    let text = |probe: &str| format!("[auth]\nmode = \"api_key\"\n[auth.api_key]\nverify = \"upstream\"\n{probe}");
    let load = |probe: &str| {
        load_beside_code(Path::new("b.toml"), &text(probe), &FixedEnvironment::default())
            .unwrap_or_else(|faults| panic!("{faults}"))
    };
    let open = load("");
    let [warning] = open.warnings.as_slice() else { panic!("{:?}", open.warnings) };
    assert_eq!(warning.path.to_string(), "auth.api_key.verify");
    assert!(warning.message.contains("anyone may list the tools"), "{warning}");
    assert!(matches!(open.settings.auth.modes()[0].verify(), Some(VerifySettings::Upstream { probe: None })));

    let probed = load("probe = { source = \"crm\", path = \"/me?all=1\" }");
    assert_eq!(probed.warnings, []);
    let Some(VerifySettings::Upstream { probe: Some(probe) }) = probed.settings.auth.modes()[0].verify() else {
        panic!()
    };
    assert_eq!((probe.source.as_str(), probe.method.as_str()), ("crm", "GET"));
    assert_eq!((probe.path.as_str(), probe.subject.as_deref()), ("/me?all=1", None));
}

/// Nothing that came from a variable or a secret setting stands in a message.
#[test]
fn no_fault_shows_a_secret() {
    let text = concat!(
        "# $TOP=s3cret\n# $MODE=s3cret\n# $BRIDGEHEAD_LISTEN=s3cret\n",
        "[server]\npublic_url = \"${TOP}\"\nallowed_hosts = [\"*.${TOP}\"]\npath = \"${TOP}\"\n",
        "[auth]\nmode = \"${MODE}\"\napi_key = { header = \"${TOP} x\" }\n",
        "[store]\nurl = \"${TOP}\"\n[policy.default]\ntimeout = \"${TOP}\"\n",
        "[sources.a]\ntype = \"${TOP}\"\n[sources.b]\ntype = \"sql\"\nurl = \"${TOP}\"\nprefix = \"${TOP}!\"\n",
    );
    let faults = load_as_test("b.toml", text).unwrap_err();
    assert!(faults.len() >= 10, "{faults}");
    assert!(!format!("{faults} {faults:?}").contains("s3cret"), "{faults}");
}
