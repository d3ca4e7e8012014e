//! How to connect the clients that are asked for most: what to click, and what to paste. Every
//! name is quoted for the shell or written as JSON here, before the template escapes it for HTML.
//! Says what is known of clients as of autumn 2026; their menus change.

#[cfg(test)]
mod tests;

use base64::{Engine, engine::general_purpose::STANDARD};
use bridgehead_auth::issuer::Preset;
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::{ClientRegistration, Connect, ForeignRegistration, Reach, WayIn};

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

/// A program on people's own devices, which can keep no secret: what it is called, and where it takes answers.
struct Program {
    client: &'static str,
    redirect_uris: &'static [&'static str],
}

const CLAUDE_CODE: Program = Program { client: "Claude Code", redirect_uris: &["http://localhost:3118/callback"] };
/// On the desktop, in the cloud, and on the desktop before 2026.
const CURSOR: Program = Program {
    client: "Cursor",
    redirect_uris: &[
        "http://localhost:8787/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
    ],
};
const VS_CODE: Program =
    Program { client: "VS Code", redirect_uris: &["http://127.0.0.1:33418/", "https://vscode.dev/redirect"] };
const INSPECTOR: Program =
    Program { client: "MCP Inspector", redirect_uris: &["http://127.0.0.1:6274/oauth/callback"] };

/// What is chosen in the dialog of a platform that signs in by OAuth or not at all.
struct Dialog<'a> {
    /// How one gets there.
    open: &'a [&'a str],
    /// What to choose for OAuth.
    oauth: &'a str,
    /// What to choose where nobody is asked.
    none: &'a str,
    /// How the dialog ends.
    end: &'a str,
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
    reach: Reach,
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
            reach: connect.reach,
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

    /// For platforms where each teammate signs in by OAuth or not at all.
    fn oauth_only(&self, preset: Preset, dialog: &Dialog<'_>) -> Guide {
        let client = preset.client_name();
        if !self.oauth && !self.open {
            let step = format!(
                "In {client} each teammate signs in by OAuth or not at all, and {} takes keys or headers. Use one of \
                 the clients below.",
                self.name
            );
            return Guide { client, steps: vec![step], link: None, snippets: Vec::new() };
        }
        let mut steps = match self.reach {
            Reach::Public => Vec::new(),
            Reach::Local => vec![format!(
                "{client} calls from the internet, over HTTPS, and cannot reach this address: the server needs another \
                 one first."
            )],
        };
        steps.extend(dialog.open.iter().map(|step| (*step).to_owned()));
        steps.push(format!("Enter {} as the name, and the address above as the URL.", self.name));
        let authentication = if self.oauth { dialog.oauth } else { dialog.none };
        steps.push(format!("Where it asks for authentication, choose {authentication}."));
        if self.client_id_from.is_some() {
            steps.push(
                "Choose an OAuth client of your own, and enter the client id and the secret that your administrator \
                 gives you."
                    .to_owned(),
            );
        }
        steps.push(dialog.end.to_owned());
        if self.oauth {
            steps.push("Connect. Your browser opens the page to sign in.".to_owned());
        }
        Guide { client, steps, link: None, snippets: self.for_administrators(preset) }
    }

    /// What an administrator needs, to hand out id and secret.
    fn for_administrators(&self, preset: Preset) -> Vec<Snippet> {
        let redirects = preset.redirect_uris();
        let mut words = vec!["--preset", preset.as_str()];
        if redirects.is_empty() {
            words.extend(["--redirect", "YOUR_REDIRECT_URI"]);
        }
        self.to_register(&words, redirects)
    }

    /// What an administrator needs, to hand out the id of a program.
    fn to_register_program(&self, program: &Program) -> Vec<Snippet> {
        let mut words = vec!["--public", "--name", program.client];
        words.extend(program.redirect_uris.iter().flat_map(|uri| ["--redirect", uri]));
        self.to_register(&words, program.redirect_uris)
    }

    /// What an administrator does where clients do not register themselves: `options` of the command of this
    /// server, or the redirect URIs to enter elsewhere.
    fn to_register(&self, options: &[&str], redirects: &[&str]) -> Vec<Snippet> {
        match self.client_id_from {
            None => Vec::new(),
            Some(ClientIdFrom::Here) => {
                let words = ["bridgehead", "clients", "add"].iter().chain(options).map(|word| (*word).to_owned());
                vec![Snippet::new("An administrator runs, before", command(&words.collect::<Vec<_>>()))]
            }
            Some(ClientIdFrom::Elsewhere) if redirects.is_empty() => Vec::new(),
            Some(ClientIdFrom::Elsewhere) => {
                vec![Snippet::new("Redirect URIs, to be registered where you sign in", redirects.join("\n"))]
            }
        }
    }

    fn claude(&self) -> Guide {
        self.oauth_only(
            Preset::Claude,
            &Dialog {
                open: &[
                    "Open Customize → Connectors and choose Add custom connector. In a Team or Enterprise plan an \
                    owner does this, under Organization settings → Connectors → Add → Custom.",
                ],
                oauth: "Always required",
                none: "None",
                end: "Choose Add.",
            },
        )
    }

    fn chatgpt(&self) -> Guide {
        self.oauth_only(
            Preset::ChatGpt,
            &Dialog {
                open: &["Open chatgpt.com/plugins, press + and choose Add custom MCP server."],
                oauth: "OAuth",
                none: "No authentication",
                end: "Choose Create as a plugin.",
            },
        )
    }

    fn claude_code(&self) -> Guide {
        let mut words = vec!["claude".to_owned(), "mcp".into(), "add".into(), "--transport".into(), "http".into()];
        if self.client_id_from.is_some() {
            words.extend(["--client-id", "YOUR_CLIENT_ID", "--callback-port", "3118"].map(str::to_owned));
        }
        words.extend([self.slug(), self.url.to_owned()]);
        words.extend(header_flags("--header", self.headers_unless_oauth()));
        let mut steps = Vec::new();
        if self.oauth {
            steps.push("After this command, type /mcp in Claude Code and choose the server to sign in.".to_owned());
        }
        let mut snippets = self.to_register_program(&CLAUDE_CODE);
        snippets.push(Snippet::new("In a terminal", command(&words)));
        Guide { client: CLAUDE_CODE.client, steps, link: None, snippets }
    }

    fn cursor(&self) -> Guide {
        let mut server = Map::from_iter([("url".to_owned(), json!(self.url))]);
        self.add_headers(&mut server, |value| value.to_owned());
        if self.client_id_from.is_some() {
            server.insert("auth".to_owned(), json!({"CLIENT_ID": "YOUR_CLIENT_ID"}));
        }
        // The link installs what it carries as it is, and nobody's key or client id is known here.
        let complete = self.headers_unless_oauth().is_empty() && self.client_id_from.is_none();
        let link = complete.then(|| {
            let config = STANDARD.encode(Value::Object(server.clone()).to_string());
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("name", &self.slug())
                .append_pair("config", &config)
                .finish();
            format!("cursor://anysphere.cursor-deeplink/mcp/install?{query}")
        });
        let file = json!({"mcpServers": {self.slug(): server}});
        let mut snippets = self.to_register_program(&CURSOR);
        snippets.push(Snippet::new("In ~/.cursor/mcp.json, or .cursor/mcp.json in a project", pretty(&file)));
        let steps =
            self.sign_in_step("Cursor shows Connect beside the server: press it, and your browser opens.", false);
        Guide { client: CURSOR.client, steps, link, snippets }
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
        let mut snippets = self.to_register_program(&VS_CODE);
        snippets.push(Snippet::new("In .vscode/mcp.json", pretty(&Value::Object(file))));
        Guide {
            client: VS_CODE.client,
            steps: self.sign_in_step("Start the server from the file: VS Code asks whether to sign in.", true),
            link: Some(format!("vscode:mcp/install?{}", percent_encoded(&Value::Object(install).to_string()))),
            snippets,
        }
    }

    fn inspector(&self) -> Guide {
        let browser = vec!["npx".to_owned(), "@modelcontextprotocol/inspector".to_owned()];
        let transport = ["--transport".to_owned(), "http".to_owned()];
        let mut snippets = self.to_register_program(&INSPECTOR);
        let mut with_server = browser.clone();
        let mut steps = Vec::new();
        if self.client_id_from.is_some() {
            // A server that is named on the command line has no settings there, where a client id could go.
            steps.push(
                "In the browser that the command opens, add a server by hand, with the transport Streamable HTTP and \
                 the address above, and enter in its settings the client id that your administrator gives you."
                    .to_owned(),
            );
        } else {
            with_server.extend(["--server-url".to_owned(), self.url.to_owned()]);
            with_server.extend(transport.clone());
            with_server.extend(header_flags("--header", self.headers_unless_oauth()));
        }
        let switch = "Press the switch beside the server";
        steps.push(match (self.client_id_from, self.oauth) {
            (Some(_), _) => format!("{switch}: the page to sign in opens."),
            (None, true) => format!("The command opens your browser. {switch} there: the page to sign in opens."),
            (None, false) => format!("The command opens your browser. {switch} there."),
        });
        let place = "In a terminal, with Node.js 22.19 or newer";
        snippets.push(Snippet::new(place, command(&with_server)));
        if self.open || !self.headers.is_empty() {
            let mut words = browser;
            words.extend(["--cli".to_owned(), self.url.to_owned()].into_iter().chain(transport));
            words.extend(["--method", "tools/list"].map(str::to_owned));
            words.extend(header_flags("--header", &self.headers));
            snippets.push(Snippet::new("Without a browser", command(&words)));
        }
        Guide { client: INSPECTOR.client, steps, link: None, snippets }
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

    /// What to do to sign in, where that is by OAuth; `asks` where the program asks for a client id.
    fn sign_in_step(&self, step: &str, asks: bool) -> Vec<String> {
        let mut steps = Vec::new();
        if self.oauth {
            steps.push(step.to_owned());
        }
        if self.client_id_from.is_some() && asks {
            steps.push("Where it asks for a client id, enter the one that your administrator gives you.".to_owned());
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
        let breaks = long
            && matches!(
                word.as_str(),
                "-H" | "--header" | "-d" | "--cli" | "--server-url" | "--method" | "--redirect" | "--client-id"
            );
        if index > 0 {
            line.push_str(if breaks { " \\\n  " } else { " " });
        }
        line.push_str(&quoted(word));
    }
    line
}

/// Whether a word of a command is a flag: these are not broken after a hyphen.
pub(super) fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").unwrap_or_default();
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
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
