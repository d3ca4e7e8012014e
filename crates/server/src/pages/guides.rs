//! How to connect the clients that are asked for most: what to click, and what to paste. Every
//! name is quoted for the shell or written as JSON here, before the template escapes it for HTML.
//! Says what is known of clients as of autumn 2026; their menus change.

use base64::{Engine, engine::general_purpose::STANDARD};
use bridgehead_auth::issuer::Preset;
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::{ClientRegistration, Connect, ForeignRegistration, WayIn};

/// What to do in one client.
pub(super) struct Guide {
    /// The client's name.
    pub(super) client: &'static str,
    /// What to do, in order.
    pub(super) steps: Vec<String>,
    /// A link that the client opens, and has all it needs then.
    pub(super) link: Option<String>,
    /// What to paste.
    pub(super) snippets: Vec<Snippet>,
}

/// Something to paste.
pub(super) struct Snippet {
    /// Where it goes.
    pub(super) what: String,
    /// The text itself.
    pub(super) text: String,
}

impl Snippet {
    fn new(what: impl Into<String>, text: String) -> Self {
        Self { what: what.into(), text }
    }
}

/// All guides, in the order they are shown.
pub(super) fn all(connect: &Connect) -> Vec<Guide> {
    let doors = Doors::of(connect);
    vec![
        doors.claude(),
        doors.claude_code(),
        doors.chatgpt(),
        doors.cursor(),
        doors.vs_code(),
        doors.inspector(),
        doors.curl(),
    ]
}

/// The ways in, as clients see them.
struct Doors<'a> {
    name: &'a str,
    url: &'a str,
    /// Nobody is asked who they are.
    open: bool,
    /// They may sign in by OAuth.
    oauth: bool,
    /// For OAuth, where somebody has to hand out a client id first.
    client_id_from: Option<ClientIdFrom>,
    /// The headers of the first way that has some: names, and what stands in for the values.
    headers: Vec<(String, String)>,
}

/// Who hands out client ids.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientIdFrom {
    /// An operator of this server.
    Here,
    /// The authorization server that is not ours.
    Elsewhere,
}

impl<'a> Doors<'a> {
    fn of(connect: &'a Connect) -> Self {
        let ways = &connect.ways_in;
        Self {
            name: &connect.site.name,
            url: &connect.endpoint_url,
            open: ways.is_empty(),
            oauth: ways.iter().any(|way| matches!(way, WayIn::OAuth { .. } | WayIn::ForeignOAuth { .. })),
            client_id_from: ways.iter().find_map(|way| match way {
                WayIn::OAuth { registration: ClientRegistration::Closed } => Some(ClientIdFrom::Here),
                WayIn::ForeignOAuth {
                    registration: ForeignRegistration::ByHand | ForeignRegistration::Unknown,
                    ..
                } => Some(ClientIdFrom::Elsewhere),
                WayIn::OAuth { .. } | WayIn::ForeignOAuth { .. } | WayIn::ApiKey { .. } | WayIn::Headers { .. } => None,
            }),
            headers: ways.iter().map(headers).find(|headers| !headers.is_empty()).unwrap_or_default(),
        }
    }

    /// Headers for a client that can also sign in by OAuth: that is easier.
    fn headers_unless_oauth(&self) -> &[(String, String)] {
        if self.oauth { &[] } else { &self.headers }
    }

    /// For clients that sign in by OAuth or not at all.
    fn oauth_only(&self, preset: Preset, steps: &[&str]) -> Guide {
        let client = preset.client_name();
        if !self.oauth && !self.open {
            let step = format!(
                "{client} signs in by OAuth or not at all, and {} takes keys or headers. Use one of the clients below.",
                self.name
            );
            return Guide { client, steps: vec![step], link: None, snippets: Vec::new() };
        }
        let mut steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
        steps.push(format!("Enter {} as the name, and the address above as the URL.", self.name));
        if self.open {
            steps.push("Where it asks for authentication, choose none.".to_owned());
        }
        if self.client_id_from.is_some() {
            steps.push("Enter the client id and the secret that your administrator gives you.".to_owned());
        }
        if self.oauth {
            steps.push("Connect. Your browser opens the page to sign in.".to_owned());
        }
        Guide { client, steps, link: None, snippets: self.for_administrators(preset) }
    }

    /// What an administrator needs, to hand out id and secret.
    fn for_administrators(&self, preset: Preset) -> Vec<Snippet> {
        let redirects = preset.redirect_uris();
        match self.client_id_from {
            None => Vec::new(),
            Some(ClientIdFrom::Here) => {
                let mut words: Vec<String> =
                    ["bridgehead", "clients", "add", "--preset", preset.as_str()].map(str::to_owned).into();
                if redirects.is_empty() {
                    words.extend(["--redirect".to_owned(), "YOUR_REDIRECT_URI".to_owned()]);
                }
                vec![Snippet::new("An administrator runs, before", command(&words))]
            }
            Some(ClientIdFrom::Elsewhere) if redirects.is_empty() => Vec::new(),
            Some(ClientIdFrom::Elsewhere) => {
                vec![Snippet::new("Redirect URIs, to be registered where you sign in", redirects.join("\n"))]
            }
        }
    }

    fn claude(&self) -> Guide {
        self.oauth_only(Preset::Claude, &["Open Settings → Connectors and choose Add custom connector."])
    }

    fn chatgpt(&self) -> Guide {
        self.oauth_only(
            Preset::ChatGpt,
            &["Turn on the developer mode under Settings → Apps → Advanced settings.", "Choose Create app."],
        )
    }

    fn claude_code(&self) -> Guide {
        let mut words = vec!["claude".to_owned(), "mcp".into(), "add".into(), "--transport".into(), "http".into()];
        if self.client_id_from.is_some() {
            words.extend(["--client-id", "YOUR_CLIENT_ID", "--client-secret"].map(str::to_owned));
        }
        words.extend([self.slug(), self.url.to_owned()]);
        words.extend(header_flags("--header", self.headers_unless_oauth()));
        let mut steps = Vec::new();
        if self.oauth {
            steps.push("After this command, type /mcp in Claude Code and choose the server to sign in.".to_owned());
        }
        Guide {
            client: "Claude Code",
            steps,
            link: None,
            snippets: vec![Snippet::new("In a terminal", command(&words))],
        }
    }

    fn cursor(&self) -> Guide {
        let mut server = Map::from_iter([("url".to_owned(), json!(self.url))]);
        self.add_headers(&mut server, |value| value.to_owned());
        // The link installs what it carries as it is, and nobody's key is known here.
        let link = self.headers_unless_oauth().is_empty().then(|| {
            let config = STANDARD.encode(Value::Object(server.clone()).to_string());
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("name", &self.slug())
                .append_pair("config", &config)
                .finish();
            format!("cursor://anysphere.cursor-deeplink/mcp/install?{query}")
        });
        let file = json!({"mcpServers": {self.slug(): server}});
        Guide {
            client: "Cursor",
            steps: self.sign_in_step("Cursor shows Connect beside the server: press it, and your browser opens."),
            link,
            snippets: vec![Snippet::new("In ~/.cursor/mcp.json, or .cursor/mcp.json in a project", pretty(&file))],
        }
    }

    fn vs_code(&self) -> Guide {
        let mut server = Map::from_iter([("type".to_owned(), json!("http")), ("url".to_owned(), json!(self.url))]);
        // VS Code asks for what is secret once, and keeps it out of the file.
        self.add_headers(&mut server, |value| match value.rsplit_once(' ') {
            Some((scheme, secret)) => format!("{scheme} ${{input:{secret}}}"),
            None => format!("${{input:{value}}}"),
        });
        let mut file = Map::new();
        let inputs: Vec<Value> = self
            .headers_unless_oauth()
            .iter()
            .map(|(header, value)| {
                let id = value.rsplit(' ').next().unwrap_or(value);
                json!({"type": "promptString", "id": id, "description": format!("{}: {header}", self.name), "password": true})
            })
            .collect();
        if !inputs.is_empty() {
            file.insert("inputs".to_owned(), Value::Array(inputs));
        }
        let mut install = file.clone();
        install.insert("name".to_owned(), json!(self.slug()));
        install.extend(server.clone());
        file.insert("servers".to_owned(), json!({self.slug(): server}));
        Guide {
            client: "VS Code",
            steps: self.sign_in_step("Start the server from the file: VS Code asks whether to sign in."),
            link: Some(format!("vscode:mcp/install?{}", percent_encoded(&Value::Object(install).to_string()))),
            snippets: vec![Snippet::new("In .vscode/mcp.json", pretty(&Value::Object(file)))],
        }
    }

    fn inspector(&self) -> Guide {
        let browser = vec!["npx".to_owned(), "@modelcontextprotocol/inspector".to_owned()];
        let mut steps = vec!["Choose the transport Streamable HTTP and enter the address above.".to_owned()];
        let mut snippets =
            vec![Snippet::new("In a terminal, with Node.js 22.19 or newer; it opens your browser", command(&browser))];
        if self.oauth {
            steps.push("Press Connect: the page to sign in opens.".to_owned());
        }
        if self.open || !self.headers.is_empty() {
            let mut words = browser;
            words.extend(["--cli", self.url, "--transport", "http", "--method", "tools/list"].map(str::to_owned));
            words.extend(header_flags("--header", &self.headers));
            snippets.push(Snippet::new("Without a browser", command(&words)));
        }
        Guide { client: "MCP Inspector", steps, link: None, snippets }
    }

    fn curl(&self) -> Guide {
        if self.oauth && self.headers.is_empty() {
            let words = ["curl".to_owned(), "-sS".to_owned(), self.protected_resource_metadata()];
            return Guide {
                client: "curl",
                steps: vec![
                    "Calls need a token that a client gets for you. This shows how clients find the way.".to_owned(),
                ],
                link: None,
                snippets: vec![Snippet::new("In a terminal", command(&words))],
            };
        }
        let mut words = vec!["curl".to_owned(), "-sS".to_owned(), self.url.to_owned()];
        words.extend(header_flags("-H", &self.headers));
        for header in [
            "Content-Type: application/json",
            "Accept: application/json, text/event-stream",
            "MCP-Protocol-Version: 2025-11-25",
        ] {
            words.extend(["-H".to_owned(), header.to_owned()]);
        }
        words.extend(["-d".to_owned(), r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned()]);
        Guide {
            client: "curl",
            steps: Vec::new(),
            link: None,
            snippets: vec![Snippet::new("The list of tools, in a terminal", command(&words))],
        }
    }

    fn sign_in_step(&self, step: &str) -> Vec<String> {
        let mut steps = Vec::new();
        if self.oauth {
            steps.push(step.to_owned());
        }
        if self.client_id_from.is_some() {
            steps.push(
                "Where it asks for a client id and a secret, enter those that your administrator gives you.".to_owned(),
            );
        }
        steps
    }

    fn add_headers(&self, server: &mut Map<String, Value>, value: impl Fn(&str) -> String) {
        let headers = self.headers_unless_oauth();
        if !headers.is_empty() {
            let headers: Map<String, Value> =
                headers.iter().map(|(name, text)| (name.clone(), Value::String(value(text)))).collect();
            server.insert("headers".to_owned(), Value::Object(headers));
        }
    }

    /// RFC 9728 §3.1: the well-known name comes before the path.
    fn protected_resource_metadata(&self) -> String {
        match Url::parse(self.url) {
            Ok(mut url) => {
                let path = format!("/.well-known/oauth-protected-resource{}", url.path());
                url.set_path(&path);
                url.to_string()
            }
            Err(_) => self.url.to_owned(),
        }
    }

    /// The server's name as clients take it for an identifier.
    fn slug(&self) -> String {
        let words = self.name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
        if slug.is_empty() { "bridgehead".to_owned() } else { slug }
    }
}

/// The headers of a way in, with what stands in for the values; none for OAuth.
fn headers(way: &WayIn) -> Vec<(String, String)> {
    match way {
        WayIn::ApiKey { header: None, .. } => vec![("Authorization".to_owned(), "Bearer YOUR_KEY".to_owned())],
        WayIn::ApiKey { header: Some(header), .. } => vec![(header.clone(), "YOUR_KEY".to_owned())],
        WayIn::Headers { required, .. } => required
            .iter()
            .map(|header| (header.clone(), format!("YOUR_{}", header.to_ascii_uppercase().replace('-', "_"))))
            .collect(),
        WayIn::OAuth { .. } | WayIn::ForeignOAuth { .. } => Vec::new(),
    }
}

fn header_flags(flag: &str, headers: &[(String, String)]) -> Vec<String> {
    headers.iter().flat_map(|(name, value)| [flag.to_owned(), format!("{name}: {value}")]).collect()
}

/// A command line for a POSIX shell; a long one in several lines.
fn command(words: &[String]) -> String {
    let long = words.iter().map(|word| word.len() + 1).sum::<usize>() > 72;
    let mut line = String::new();
    for (index, word) in words.iter().enumerate() {
        let breaks = long && matches!(word.as_str(), "-H" | "--header" | "-d" | "--cli" | "--method");
        if index > 0 {
            line.push_str(if breaks { " \\\n  " } else { " " });
        }
        line.push_str(&quoted(word));
    }
    line
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// As `encodeURIComponent` does it, which is how VS Code reads it: a blank is `%20`, and never `+`.
fn percent_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
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
        ];
        for (ways_in, command) in rows {
            assert_eq!(snippet(&connect("Warehouse", ways_in), "Claude Code"), command);
        }
        let curl = snippet(&connect("Warehouse", key(Some("X-Api-Key"))), "curl");
        assert!(curl.contains("-H 'X-Api-Key: YOUR_KEY'") && curl.contains("tools/list"), "{curl}");
        let oauth = connect("Warehouse", vec![OAUTH]);
        assert_eq!(
            snippet(&oauth, "curl"),
            "curl -sS https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
        );
    }

    /// Whatever stands in names and headers, the shell sees one word for each of ours.
    #[test]
    fn commands_are_quoted() {
        let rows = [
            ("plain-word_1", "plain-word_1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
        ];
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

    /// Claude and ChatGPT take OAuth or nothing: they are not sent to look for a field for keys.
    #[test]
    fn clients_that_cannot_send_keys_say_so() {
        for client in ["Claude", "ChatGPT"] {
            let guide = guide(&connect("Warehouse", key(None)), client);
            assert_eq!(guide.steps.len(), 1);
            assert!(guide.steps[0].contains("OAuth or not at all"));
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
        let closed = connect("Warehouse", vec![WayIn::OAuth { registration: ClientRegistration::Closed }]);
        assert_eq!(snippet(&closed, "Claude"), "bridgehead clients add --preset claude");
        assert_eq!(snippet(&closed, "ChatGPT"), "bridgehead clients add --preset chatgpt --redirect YOUR_REDIRECT_URI");
        let issuer = "https://login.example.com".to_owned();
        let foreign = |registration| {
            connect(
                "Warehouse",
                vec![WayIn::ForeignOAuth { issuer: issuer.clone(), registration, scopes: String::new() }],
            )
        };
        let by_hand = guide(&foreign(ForeignRegistration::ByHand), "Claude");
        let uris: Vec<&str> = by_hand.snippets[0].text.lines().collect();
        assert_eq!(uris, Preset::Claude.redirect_uris());
        assert!(guide(&foreign(ForeignRegistration::ByThemselves), "Claude").snippets.is_empty());
    }
}
