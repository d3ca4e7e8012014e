//! What `deploy/` sets for a host is what the server understands (H1, T1): each variable is a setting, each configuration
//! loads, and what is taken away from the process stays taken away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{path::Path, process::Output};

use bridgehead_harness::process::{binary, repository};
use serde_json::Value;
use tokio::process::Command;

/// Any source will do, where a recipe leaves the configuration to the reader.
const ANY: &str = "[auth]\nmode = \"api_key\"\n[sources.erp]\ntype = \"http\"\n[sources.erp.tools.look]\n\
                   description = \"Looks.\"\nrequest = { url = \"https://erp.internal/orders\" }\n";
const ROOT_KEY: &str = "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn text(file: &str) -> String {
    std::fs::read_to_string(repository().join("deploy").join(file)).unwrap()
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&text(file)).unwrap()
}

/// `bridgehead config check` with these variables and no others.
async fn check(config: &Path, variables: &[(String, String)]) -> Output {
    let variables = variables.iter().map(|(name, value)| (name, value));
    Command::new(binary("bridgehead"))
        .args(["config", "check"])
        .arg(config)
        .env_clear()
        .envs(variables)
        .output()
        .await
        .unwrap()
}

async fn assert_understood(host: &str, config: &Path, variables: &[(String, String)]) {
    assert!(variables.iter().any(|(name, _)| name == "BRIDGEHEAD_PUBLIC_URL"), "{host}: {variables:?}");
    let checked = check(config, variables).await;
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && !said.contains("warning"), "{host}: {said}");
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn every_recipe_sets_what_the_server_understands() {
    let place = tempfile::tempdir().unwrap();
    let any = place.path().join("bridgehead.toml");
    std::fs::write(&any, ANY).unwrap();

    let compose = yaml("compose/compose.yaml");
    let given = compose["services"]["bridgehead"]["environment"].as_object().unwrap();
    let mut variables = vec![pair("PORT", "8080")];
    for (name, value) in given {
        let value = value.as_str().unwrap();
        let value =
            value.split_once("${DOMAIN").map_or(value.to_owned(), |(before, _)| format!("{before}mcp.example.com"));
        variables.push((name.clone(), value));
    }
    assert_understood("compose", &repository().join("deploy/compose/config/bridgehead.toml"), &variables).await;

    let service = yaml("cloud-run/service.yaml");
    let mut variables = vec![pair("PORT", "8080"), pair("K_SERVICE", "bridgehead")];
    for given in service["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap() {
        let name = given["name"].as_str().unwrap();
        let secret = given["valueFrom"]["secretKeyRef"]["name"].as_str();
        let value = match secret {
            Some("bridgehead-store") => "postgres://bridgehead@db.internal/bridgehead",
            Some("bridgehead-keys") => ROOT_KEY,
            Some(other) => panic!("a secret {other}"),
            None => given["value"].as_str().unwrap(),
        };
        variables.push(pair(name, value));
    }
    assert_understood("Cloud Run", &any, &variables).await;

    let fly: toml::Table = toml::from_str(&text("fly/fly.toml")).unwrap();
    let mut variables = vec![pair("PORT", "8080"), pair("BRIDGEHEAD_KEYS", ROOT_KEY)];
    variables.push(pair("BRIDGEHEAD_STORE__URL", "postgres://bridgehead@db.internal/bridgehead"));
    for (name, value) in fly["env"].as_table().unwrap() {
        variables.push(pair(name, value.as_str().unwrap()));
    }
    assert_understood("Fly", &any, &variables).await;

    let keys = place.path().join("bridgehead.keys");
    std::fs::write(&keys, ROOT_KEY).unwrap();
    let mut variables = vec![pair("BRIDGEHEAD_PUBLIC_URL", "https://mcp.example.com")];
    let unit = text("systemd/bridgehead.service");
    for line in unit.lines().filter_map(|line| line.strip_prefix("Environment=")) {
        let (name, value) = line.split_once('=').unwrap();
        variables.push(pair(name, &value.replace("%S", "/var/lib").replace("%d", place.path().to_str().unwrap())));
    }
    assert_eq!(variables.len(), 3, "{variables:?}");
    assert_understood("systemd", &any, &variables).await;

    variables.push(pair("BRIDGEHEAD_SERVER__TRUSTED_PROXY", "10.0.0.0/8"));
    assert!(!check(&any, &variables).await.status.success(), "a name that is none is found");
}

#[test]
fn the_containers_have_nothing_they_do_not_need() {
    let compose = yaml("compose/compose.yaml");
    for (name, service) in compose["services"].as_object().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
    }
    let bridgehead = &compose["services"]["bridgehead"];
    assert!(bridgehead.get("cap_add").is_none() && bridgehead.get("ports").is_none(), "{bridgehead}");
    let caddy = compose["services"]["caddy"]["networks"]["inside"]["ipv4_address"].as_str();
    let trusted = bridgehead["environment"]["BRIDGEHEAD_TRUSTED_PROXIES"].as_str();
    assert!(caddy.is_some() && caddy == trusted, "Caddy alone is believed: {caddy:?} {trusted:?}");
}

/// Longer than running calls are waited for, so that nothing is killed in the middle of its end.
#[test]
fn each_host_waits_longer_than_the_server() {
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().unwrap();
    let reference = text("../docs/reference/configuration.md");
    let row = reference.lines().find(|line| line.starts_with("| `server.drain_timeout`")).unwrap();
    let drain = seconds(row.split('"').nth(1).unwrap());
    let unit = text("systemd/bridgehead.service");
    let systemd = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    let compose = yaml("compose/compose.yaml");
    let fly: toml::Table = toml::from_str(&text("fly/fly.toml")).unwrap();
    let compose = compose["services"]["bridgehead"]["stop_grace_period"].as_str().unwrap();
    for (host, waits) in [("systemd", systemd), ("compose", compose), ("Fly", fly["kill_timeout"].as_str().unwrap())] {
        assert!(seconds(waits) > drain, "{host} waits {waits}");
    }
    let cloud_run = text("cloud-run/service.yaml");
    let drain = cloud_run.split_once("BRIDGEHEAD_DRAIN_TIMEOUT\n").unwrap().1.trim().strip_prefix("value: ").unwrap();
    assert!(seconds(drain.lines().next().unwrap()) < 10, "Cloud Run waits 10 seconds");
}
