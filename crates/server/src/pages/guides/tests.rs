//! P1: what is pasted is right, whatever the names in it are.

use super::*;
use crate::pages::{Reach, Site, ValuesFrom, Visitor};

fn connect(name: &str, ways_in: Vec<WayIn>) -> Connect {
    Connect {
        site: Site { name: name.to_owned() },
        instructions: None,
        endpoint_url: "https://mcp.example.com/mcp".to_owned(),
        reach: Reach::Public,
        ways_in,
        vaults: Vec::new(),
        visitor: Visitor::Anybody,
        own_keys: false,
        tools: None,
    }
}

fn guide(connect: &Connect, client: &str) -> Guide {
    all(connect).into_iter().find(|guide| guide.client == client).unwrap()
}

fn snippet(connect: &Connect, client: &str) -> String {
    guide(connect, client).snippets.last().unwrap().text.clone()
}

const OAUTH: WayIn = WayIn::OAuth { registration: ClientRegistration::Open };
const CLOSED: WayIn = WayIn::OAuth { registration: ClientRegistration::Closed };

fn key(header: Option<&str>) -> Vec<WayIn> {
    vec![WayIn::ApiKey { header: header.map(str::to_owned), from: ValuesFrom::Here }]
}

#[test]
fn commands_carry_the_headers() {
    let rows = [
        (Vec::new(), "claude mcp add --transport http warehouse https://mcp.example.com/mcp"),
        (
            key(None),
            "claude mcp add --transport http warehouse https://mcp.example.com/mcp \\\n  \
             --header 'Authorization: Bearer YOUR_KEY'",
        ),
        (vec![OAUTH], "claude mcp add --transport http warehouse https://mcp.example.com/mcp"),
        (
            vec![CLOSED],
            "claude mcp add --transport http \\\n  --client-id YOUR_CLIENT_ID --callback-port 3118 warehouse \
             https://mcp.example.com/mcp",
        ),
    ];
    for (ways_in, command) in rows {
        assert_eq!(snippet(&connect("Warehouse", ways_in), "Claude Code"), command);
    }
    let curl = snippet(&connect("Warehouse", key(Some("X-Api-Key"))), "curl");
    assert!(curl.contains("-H 'X-Api-Key: YOUR_KEY'") && curl.contains("tools/list"), "{curl}");
    let oauth = connect("Warehouse", vec![OAUTH]);
    assert_eq!(snippet(&oauth, "curl"), "curl -sS https://mcp.example.com/.well-known/oauth-protected-resource/mcp");
}

/// Whatever stands in names and headers, the shell sees one word for each of ours.
#[test]
fn commands_are_quoted() {
    let rows =
        [("plain-word_1", "plain-word_1"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$(x)", "'$(x)'")];
    for (word, shown) in rows {
        assert_eq!(quoted(word), shown);
    }
}

#[test]
fn files_are_json_whatever_the_names() {
    let ways_in = vec![WayIn::Headers {
        required: vec!["X-\"Key".to_owned(), "X-Tenant".to_owned()],
        optional: Vec::new(),
        from: ValuesFrom::SystemBehind,
    }];
    let connect = connect("The \"Ware\\house\"", ways_in);
    let cursor: Value = serde_json::from_str(&snippet(&connect, "Cursor")).unwrap();
    assert_eq!(cursor["mcpServers"]["the-ware-house"]["headers"]["X-Tenant"], "YOUR_X_TENANT");
    let vs_code: Value = serde_json::from_str(&snippet(&connect, "VS Code")).unwrap();
    assert_eq!(vs_code["servers"]["the-ware-house"]["headers"]["X-Tenant"], "${input:YOUR_X_TENANT}");
    assert_eq!(vs_code["inputs"][1]["id"], "YOUR_X_TENANT");
    assert_eq!(vs_code["inputs"][1]["password"], true);
}

/// In Claude and ChatGPT each teammate signs in by OAuth or not at all: nobody is sent to look for a field for keys.
#[test]
fn clients_that_cannot_send_keys_say_so() {
    for client in ["Claude", "ChatGPT"] {
        let guide = guide(&connect("Warehouse", key(None)), client);
        assert_eq!(guide.steps.len(), 1);
        assert!(guide.steps[0].contains("OAuth or not at all"));
    }
}

/// What calls from the internet is not sent to an address of this machine without a word.
#[test]
fn platforms_cannot_reach_an_address_of_this_machine() {
    for client in ["Claude", "ChatGPT"] {
        for (reach, said) in [(Reach::Local, true), (Reach::Public, false)] {
            let guide = guide(&Connect { reach, ..connect("Warehouse", vec![OAUTH]) }, client);
            assert_eq!(guide.steps[0].contains("cannot reach this address"), said, "{client}: {}", guide.steps[0]);
        }
    }
}

/// The link says what the file says, as far as nobody's key is needed for it.
#[test]
fn cursor_opens_a_link_with_its_configuration() {
    for ways_in in [Vec::new(), vec![OAUTH], vec![OAUTH, key(None).remove(0)]] {
        let connect = connect("The \"Ware\\house\"", ways_in);
        let link = Url::parse(&guide(&connect, "Cursor").link.unwrap()).unwrap();
        let query: std::collections::BTreeMap<_, _> = link.query_pairs().collect();
        assert_eq!(query["name"], "the-ware-house");
        let config: Value = serde_json::from_slice(&STANDARD.decode(&*query["config"]).unwrap()).unwrap();
        let file: Value = serde_json::from_str(&snippet(&connect, "Cursor")).unwrap();
        assert_eq!(config, file["mcpServers"]["the-ware-house"]);
    }
    assert_eq!(guide(&connect("Warehouse", key(None)), "Cursor").link, None);
    let closed = connect("Warehouse", vec![CLOSED]);
    let file: Value = serde_json::from_str(&snippet(&closed, "Cursor")).unwrap();
    assert_eq!(file["mcpServers"]["warehouse"]["auth"]["CLIENT_ID"], "YOUR_CLIENT_ID");
    assert_eq!(guide(&closed, "Cursor").link, None, "nobody's client id is known here");
}

#[test]
fn vs_code_opens_a_link_that_asks_for_what_is_secret() {
    let connect = connect("Ware + house", key(Some("X-Api-Key")));
    let link = guide(&connect, "VS Code").link.unwrap();
    let text = link.strip_prefix("vscode:mcp/install?").unwrap();
    assert!(!text.contains(['+', ' ', '"', '<', '&', '#']), "{text}");
    let (text, _) = form_urlencoded::parse(text.as_bytes()).next().unwrap();
    let install: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(install["headers"]["X-Api-Key"], "${input:YOUR_KEY}");
    let shown = |member: &str| install[member].as_str().unwrap().to_owned();
    assert_eq!(
        (shown("name"), shown("type"), shown("url")),
        ("ware-house".into(), "http".into(), connect.endpoint_url.clone())
    );
    assert_eq!(install["inputs"][0]["description"], "Ware + house: X-Api-Key");
}

/// Where clients cannot register themselves, an administrator sees what to register for each.
#[test]
fn administrators_see_what_to_register() {
    let closed = connect("Warehouse", vec![CLOSED]);
    assert_eq!(snippet(&closed, "Claude"), "bridgehead clients add --preset claude");
    assert_eq!(snippet(&closed, "ChatGPT"), "bridgehead clients add --preset chatgpt --redirect YOUR_REDIRECT_URI");
    let first = |connect: &Connect, client: &str| guide(connect, client).snippets.remove(0).text;
    assert_eq!(
        first(&closed, "Claude Code"),
        "bridgehead clients add --public --name 'Claude Code' \\\n  --redirect http://localhost:3118/callback"
    );
    for program in [&CURSOR, &VS_CODE, &INSPECTOR] {
        let command = first(&closed, program.client);
        for uri in program.redirect_uris {
            assert!(command.contains(&format!("--redirect {uri}")), "{command}");
        }
    }
    let issuer = "https://login.example.com".to_owned();
    let foreign = |registration| {
        connect("Warehouse", vec![WayIn::ForeignOAuth { issuer: issuer.clone(), registration, scopes: String::new() }])
    };
    let by_hand = guide(&foreign(ForeignRegistration::ByHand), "Claude");
    let uris: Vec<&str> = by_hand.snippets[0].text.lines().collect();
    assert_eq!(uris, Preset::Claude.redirect_uris());
    assert_eq!(first(&foreign(ForeignRegistration::ByHand), "VS Code"), VS_CODE.redirect_uris.join("\n"));
    assert!(guide(&foreign(ForeignRegistration::ByThemselves), "Claude").snippets.is_empty());
}
