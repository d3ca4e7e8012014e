//! P1: the card for every way to sign in, as it is printed.

use bridgehead_auth::users::{LinkPurpose, OneTimeLink};

use super::*;
use crate::{
    compose::{self, Ambient},
    config::{self, FixedEnvironment},
    golden::Golden,
};

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Tools that need nothing to be there.
const TOOLS: &str = r#"
[sources.erp]
type = "http"
[sources.erp.tools.find_order]
description = "Finds one order by its number and returns its lines, each with article and units ordered."
request = { method = "GET", url = "https://erp.internal/orders/{order}" }
parameters.order = { type = "string", description = "Order number, for example O-2025-17" }
[sources.erp.tools.cancel]
description = "Cancel"
request = { method = "DELETE", url = "https://erp.internal/orders/{id}/{line}/{part}" }
parameters.id = { type = "string" }
parameters.line = { type = "string" }
parameters.part = { type = "string" }
"#;

const FROM_CALLER: &str = "credential = { from = \"caller\" }";

/// One card: its name, `[auth]` and what goes with it, and what is known at the start.
struct Case {
    name: &'static str,
    config: &'static str,
    /// What the source says of the caller's credential.
    credential: &'static str,
    public_url: Option<&'static str>,
    first: FirstRun,
}

fn case(name: &'static str, config: &'static str) -> Case {
    let public_url = Some("https://mcp.example.com");
    Case { name, config, credential: "", public_url, first: FirstRun::default() }
}

fn cases() -> Vec<Case> {
    let link = || {
        let expires_at = "2026-01-01T10:00:00Z".parse().unwrap();
        let text = Secret::new("bhl_SampleLink".to_owned());
        FirstAdministrator::Link(OneTimeLink { text, purpose: LinkPurpose::FirstAdministrator, expires_at })
    };
    let by_link = || FirstRun { administrator: Some(link()), ..FirstRun::default() };
    let foreign = |clients| FirstRun { foreign_clients: Some(clients), ..FirstRun::default() };
    let key = FirstRun { key: Some(Secret::new("bhk_SampleKey".to_owned())), ..FirstRun::default() };
    let foreign_config = "auth.mode = \"oauth\"\nauth.oauth.issuer = \"https://login.example.com\"";
    vec![
        case("open", "auth.mode = \"open\""),
        case("key", "auth.mode = \"api_key\""),
        Case { public_url: None, first: key, ..case("key_on_this_machine", "auth.mode = \"api_key\"") },
        Case { public_url: Some("http://erp.internal"), ..case("in_this_network", "auth.mode = \"open\"") },
        Case {
            credential: FROM_CALLER,
            ..case(
                "key_handed_through",
                "auth.mode = \"api_key\"\nauth.api_key = { header = \"X-Api-Key\", verify = \"upstream\" }",
            )
        },
        Case {
            credential: FROM_CALLER,
            ..case(
                "headers",
                "auth.mode = \"headers\"\nauth.headers = { required = [\"X-Api-Key\", \"X-Tenant\"], optional = [\"X-Region\"], verify = \"upstream\" }",
            )
        },
        case(
            "headers_issued",
            "auth.mode = \"headers\"\nauth.headers = { required = [\"X-Api-Key\", \"X-Tenant\"], verify = \"issued\" }",
        ),
        Case { first: by_link(), ..case("oauth", "auth.mode = \"oauth\"") },
        case("oauth_closed", "auth.mode = \"oauth\"\nauth.oauth.registration = \"closed\""),
        case(
            "oauth_login_elsewhere",
            "auth.mode = \"oauth\"\nauth.oauth.login = { issuer = \"https://idp.example.com\", client_id = \"bridgehead\", \
             client_secret = \"${IDP_SECRET}\", domains = [\"example.com\"] }",
        ),
        Case { first: foreign(ForeignClients::ByThemselves), ..case("foreign", foreign_config) },
        Case { first: foreign(ForeignClients::ByHand), ..case("foreign_by_hand", foreign_config) },
        Case {
            first: foreign(ForeignClients::Unknown("login.example.com does not answer".to_owned())),
            ..case("foreign_down", foreign_config)
        },
        Case { first: by_link(), ..case("side_by_side", "auth.mode = [\"oauth\", \"api_key\"]") },
        Case {
            credential: "credential = { vault = \"crm\", headers = { X-Api-Key = \"{api_key}\" } }",
            ..case(
                "vaults",
                "auth.mode = \"oauth\"\n[vaults.crm]\ntitle = \"the CRM\"\nfields = { api_key = \"Your CRM key\" }",
            )
        },
    ]
}

async fn printed(case: &Case) -> String {
    let public_url = case.public_url.map(|url| format!("server.public_url = \"{url}\"\n")).unwrap_or_default();
    let tools = TOOLS.replace("type = \"http\"\n", &format!("type = \"http\"\n{}\n", case.credential));
    let text = format!("name = \"Orders\"\nstore.url = \"memory:\"\n{public_url}{}{tools}", case.config);
    let environment = FixedEnvironment::new([("IDP_SECRET", SECRET)]);
    let path = Path::new("bridgehead.toml");
    let loaded =
        config::load_text(path, &text, &environment).unwrap_or_else(|faults| panic!("{}: {faults}", case.name));
    let settings = loaded.settings;
    let catalog = compose::catalog(&settings, &loaded.places, &Ambient::default(), Vec::new()).await.unwrap();
    let public_url = case.public_url.unwrap_or("http://127.0.0.1:8080").to_owned();
    let mut parts = connect_parts(&settings, None, &case.first);
    for way in &mut parts.ways_in {
        // A server that runs knows them from its tools.
        if let WayIn::ForeignOAuth { scopes, .. } = way {
            "tools:read tools:write".clone_into(scopes);
        }
    }
    card(&Facts {
        config: Some(path),
        endpoint_url: format!("{public_url}/mcp"),
        reach: Reach::of(&public_url.parse().unwrap()),
        admin: None,
        awaits_certificate: false,
        connect: parts,
        own_keys: compose::connect::teammates_make_keys(&settings.auth),
        catalog: Arc::new(catalog),
        first: &case.first,
        settings: &settings,
        public_url,
    })
}

const SECRET: &str = "idpSecret-3fT9kQ2wLx8v";

/// With `UPDATE_GOLDEN=1` the cards of now are written down as the expected ones.
#[tokio::test]
async fn every_card_reads_as_it_should() {
    let mut golden = Golden::default();
    for case in cases() {
        let card = printed(&case).await;
        assert!(!card.contains(SECRET), "{}", case.name);
        golden.compare(format!("{CRATE}/tests/card/{}.txt", case.name), &card);
    }
    golden.assert("every_card");
}

/// Of a large system the card names some tools, and grades none: the start does not wait for it.
#[tokio::test]
async fn a_large_system_does_not_drown_the_card() {
    let tools: String = (0..=GRADED_AT_MOST)
        .map(|number| {
            format!("tools.list_{number} = {{ description = \"Lists all.\", request = {{ url = \"https://a.b\" }} }}\n")
        })
        .collect();
    let tools: &'static str = Box::leak(tools.into_boxed_str());
    let card = printed(&Case { credential: tools, ..case("large", "auth.mode = \"open\"") }).await;
    assert!(card.contains("from erp (http)\n") && card.contains("list_0, list_1, "), "{card}");
    assert!(card.contains("143 more: `bridgehead tools -c bridgehead.toml` lists them"), "{card}");
    assert!(card.lines().count() < 30, "{card}");
}

#[test]
fn rows_are_filled_and_words_stay_whole() {
    assert_eq!(filled("one two three four", 9), ["one two", "three", "four"]);
    assert_eq!(filled("https://example.com/long a", 5), ["https://example.com/long", "a"]);
    assert!(filled("", 5).is_empty());
}
