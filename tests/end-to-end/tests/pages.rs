//! The pages of sign-in, consent, account and connect (P1, A4) in a real browser: everybody can use
//! them, on a phone and on a desktop, light and dark, by keyboard and without JavaScript; and their
//! policy lets a form end at a client. `cargo xtask test` installs what drives the browser. The
//! screenshots stay under the target directory, for people to look at. And what the connect page says to
//! type in a terminal does what it says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use bridgehead_end_to_end::{oauth::Site, sdk::installed, teammates::TOOLS};
use bridgehead_harness::{TestServer, WAREHOUSE_TABLES, page::unescape};
use bridgehead_server::pages::{
    COPY_SCRIPT,
    samples::{self, Sample},
};
use serde_json::{Value, json};
use tokio::process::Command;

/// Each page as two files: the document, and what it goes out with.
fn write(folder: &Path, Sample { name, page }: &Sample) {
    let headers: serde_json::Map<String, Value> =
        page.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect();
    let sent = json!({"status": page.status.as_u16(), "headers": headers});
    std::fs::write(folder.join(format!("{name}.html")), &page.html).unwrap();
    std::fs::write(folder.join(format!("{name}.json")), sent.to_string()).unwrap();
}

async fn look(samples: &Path, screenshots: &Path) -> Output {
    Command::new("node")
        .arg(installed("E2E_CLIENTS_DIR").join("pages/look.mjs"))
        .args([samples, screenshots])
        .output()
        .await
        .expect("the script runs")
}

#[tokio::test]
async fn everybody_can_use_the_pages() {
    let folder = tempfile::tempdir().unwrap();
    let mut pages = samples::all();
    pages.push(samples::large());
    std::fs::write(folder.path().join("copy.js"), COPY_SCRIPT).unwrap();
    for sample in &pages {
        write(folder.path(), sample);
    }
    let screenshots = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
    let output = look(folder.path(), &screenshots).await;
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}\n{complained}");
    let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(report["pages"], pages.len());
    assert!(report["checks"].as_u64().unwrap() > pages.len() as u64 * 4 * 10, "{report}");
    for sample in &pages {
        for variant in ["phone-light", "phone-dark", "desktop-light", "desktop-dark"] {
            let file = screenshots.join(format!("{}-{variant}.png", sample.name));
            assert!(file.is_file(), "{}", file.display());
        }
    }
}

/// What the script is there to find, it finds.
#[tokio::test]
async fn the_script_can_fail() {
    let folder = tempfile::tempdir().unwrap();
    let mut broken = samples::all().into_iter().find(|sample| sample.name == "sign-in").unwrap();
    let slips = [
        ("<label for=\"mail\">", "<label>"),
        ("<button>Sign in</button>", "<button tabindex=\"-1\">Sign in</button>"),
        ("<p class=\"small soft\">", "<p class=\"small soft\" style=\"color: #999\">"),
        (
            "<h1>Sign in</h1>",
            "<h1>Sign in</h1><img src=\"https://evil.example/x.png\" alt=\"\" width=\"900\" height=\"9\">",
        ),
        (":focus-visible { outline: 2px", ":focus-visible { outline: 1px"),
    ];
    for (right, wrong) in slips {
        assert!(broken.page.html.contains(right), "{right}");
        broken.page.html = broken.page.html.replace(right, wrong);
    }
    write(folder.path(), &broken);
    let mut covered = samples::all().into_iter().find(|sample| sample.name == "connect-header-keys").unwrap();
    let (start, end) = ("data-copy=\"the command\">", "</code></pre>");
    covered.page.html =
        covered.page.html.replace(start, &format!("{start}<nobr>")).replace(end, &format!("</nobr>{end}"));
    write(folder.path(), &covered);
    std::fs::write(folder.path().join("copy.js"), COPY_SCRIPT).unwrap();
    let output = look(folder.path(), &folder.path().join("screenshots")).await;
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complained}");
    for found in [
        "sign-in (phone-light) is accessible: [\"label: Form elements must have labels",
        "sign-in (phone-light) is reached by Tab in its order",
        "sign-in (phone-light) makes the browser complain of nothing",
        "sign-in (desktop-dark) fits into 320 pixels",
        "sign-in (desktop-dark) has its style, which its policy names",
        "connect-header-keys (desktop-light) covers no text at 640 pixels: [\"bridgehead keys create",
    ] {
        assert!(complained.contains(found), "{found}: not in\n{complained}");
    }
}

/// What the page says to paste for a client; the last of it.
fn pasted(page: &str, client: &str) -> String {
    let (_, guide) = page.split_once(&format!("<summary>{client}</summary>")).unwrap();
    let (guide, _) = guide.split_once("</details>").unwrap();
    let (_, snippet) = guide.rsplit_once("<pre>").unwrap();
    let (_, snippet) = snippet.split_once("data-copy=").unwrap();
    let text = snippet.split_once('>').unwrap().1.split_once("</code>").unwrap().0;
    let text = text.replace("<span class=\"flag\">", "").replace("</span>", "");
    unescape(&text)
}

/// P1: the command for curl, as it is printed and with what stands in for keys filled in, lists the tools in
/// every mode in which somebody can have a key; in the others it shows where clients sign in.
#[tokio::test]
async fn the_command_for_curl_does_what_it_says() {
    let headers = "mode = \"headers\"\nheaders = { required = [\"X-Api-Key\", \"X-Tenant\"] }";
    for (auth, made_for) in [
        ("mode = \"open\"", &[][..]),
        ("mode = \"api_key\"", &[(None, "YOUR_KEY")]),
        ("mode = \"api_key\"\napi_key.header = \"X-Api-Key\"", &[(None, "YOUR_KEY")]),
        ("mode = [\"oauth\", \"api_key\"]", &[(None, "YOUR_KEY")]),
        (headers, &[(Some("X-Api-Key"), "YOUR_X_API_KEY"), (Some("X-Tenant"), "YOUR_X_TENANT")]),
        ("mode = \"oauth\"", &[]),
    ] {
        let front = "name = \"The \\\"Ware$house\\\" it's\"\n[server]\nlisten = \"127.0.0.1:0\"\n";
        let config = format!("{front}[auth]\n{auth}\n[store]\nurl = \"sqlite:bridgehead.db\"\n{TOOLS}");
        let server = TestServer::with(&config).file("warehouse.sql", WAREHOUSE_TABLES).start().await;
        let page = Site::of(&[&server]).get("/").await.text;
        let mut command = pasted(&page, "curl");
        for (header, placeholder) in made_for {
            let (_, key) = server.key_in(*header, "alice@example.com", "tools:read tools:write", None).await;
            assert!(command.contains(placeholder), "{auth}: {command}");
            command = command.replace(placeholder, &key);
        }
        assert!(!command.contains("YOUR_"), "{auth}: {command}");
        let output = Command::new("sh").args(["-c", &command]).env("no_proxy", "*").output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let answer: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{auth}: {command}\n{output:?}"));
        if auth == "mode = \"oauth\"" {
            assert_eq!(answer["resource"], server.url, "{answer}");
            assert!(answer["authorization_servers"].is_array(), "{answer}");
        } else {
            let names: Vec<&str> = answer["result"]["tools"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tool| tool["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, ["find_stock", "adjust_stock"], "{auth}: {command}");
        }
        server.stop().await;
    }
}
