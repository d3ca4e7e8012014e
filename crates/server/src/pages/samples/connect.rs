//! The connect page, for each way to sign in and for each reader.

use std::sync::Arc;

use bridgehead_core::Effect;
use bridgehead_lint::{Grade, Severity};

use super::{Sample, Samples};
use crate::pages::{
    ClientRegistration, Connect, FindingLine, ForeignRegistration, Reach, Site, ToolGroup, ToolLine, ToolList,
    ValuesFrom, VaultLine, View, Visitor, WayIn,
};

impl Samples<'_> {
    pub(super) fn connect(&mut self) {
        self.connect_by_oauth();
        self.connect_by_key();
        let open = Connect { instructions: None, tools: Some(self.tools("")), ..self.connect_page(Vec::new()) };
        self.add("connect-open", &open);
        self.connect_signed_in();
    }

    fn connect_page(&self, ways_in: Vec<WayIn>) -> Connect {
        Connect {
            site: self.site(),
            instructions: Some(self.text("Stock and orders of the central warehouse.")),
            endpoint_url: self.text("https://mcp.example.com/mcp"),
            reach: Reach::Public,
            ways_in,
            vaults: Vec::new(),
            visitor: Visitor::Anybody,
            own_keys: false,
            tools: None,
        }
    }

    fn connect_by_oauth(&mut self) {
        let registration = |registration| vec![WayIn::OAuth { registration }];
        let open = Connect { visitor: Visitor::SignedOut, ..self.connect_page(registration(ClientRegistration::Open)) };
        let closed = Connect { ways_in: registration(ClientRegistration::Closed), ..open.clone() };
        self.add("connect-oauth", &open);
        self.add("connect-oauth-closed", &closed);
        for (name, registration) in [
            ("connect-oauth-foreign", ForeignRegistration::ByHand),
            ("connect-oauth-foreign-open", ForeignRegistration::ByThemselves),
            ("connect-oauth-foreign-down", ForeignRegistration::Unknown),
        ] {
            let issuer = self.text("https://login.example.com/realms/staff");
            let scopes = self.text("tools:read tools:write");
            self.add(name, &self.connect_page(vec![WayIn::ForeignOAuth { issuer, registration, scopes }]));
        }
    }

    fn connect_by_key(&mut self) {
        let key = |header, from| vec![WayIn::ApiKey { header, from }];
        let headers = |required: &[&str], optional: &[&str], from| {
            let named = |names: &[&str]| names.iter().map(|name| self.text(name)).collect();
            vec![WayIn::Headers { required: named(required), optional: named(optional), from }]
        };
        let issued = self.connect_page(key(None, ValuesFrom::Here));
        let own = Connect { visitor: Visitor::SignedOut, own_keys: true, ..issued.clone() };
        let own_header = key(Some(self.text("X-Api-Key")), ValuesFrom::SystemBehind);
        let own_values = headers(&["X-Api-Key", "X-Tenant"], &["X-Region"], ValuesFrom::SystemBehind);
        let issued_headers = headers(&["X-Api-Key", "X-Tenant-Key"], &[], ValuesFrom::Here);
        let oauth = vec![WayIn::OAuth { registration: ClientRegistration::Open }];
        let side_by_side = Connect {
            visitor: Visitor::SignedOut,
            tools: Some(self.tools("")),
            ..self.connect_page([oauth, key(None, ValuesFrom::Here), own_values.clone()].concat())
        };
        let local =
            Connect { endpoint_url: self.text("http://127.0.0.1:8080/mcp"), reach: Reach::Local, ..issued.clone() };
        let pages = [
            ("connect-header-key", self.connect_page(own_header)),
            ("connect-headers", self.connect_page(own_values)),
            ("connect-header-keys", self.connect_page(issued_headers)),
            ("connect-key", issued),
            ("connect-key-of-account", own),
            ("connect-side-by-side", side_by_side),
            ("connect-local", local),
        ];
        for (name, page) in &pages {
            self.add(name, page);
        }
    }

    fn connect_signed_in(&mut self) {
        let vault = |title: &str| VaultLine { title: self.text(title), path: "/account/credentials/crm".to_owned() };
        let teammate = Connect {
            vaults: vec![vault("the CRM"), vault("the parcel service")],
            visitor: Visitor::Teammate { address: self.text("alice@example.com") },
            tools: Some(self.tools("")),
            ..self.connect_page(vec![WayIn::OAuth { registration: ClientRegistration::Open }])
        };
        let found = Connect { tools: Some(self.tools(&self.text("adjust"))), ..teammate.clone() };
        let none = Connect { tools: Some(ToolList { groups: Vec::new(), ..self.tools("teapot") }), ..teammate.clone() };
        let may_nothing = Connect { tools: Some(ToolList::default()), vaults: Vec::new(), ..teammate.clone() };
        self.add("connect-signed-in", &teammate);
        self.add("connect-found", &found);
        self.add("connect-found-nothing", &none);
        self.add("connect-no-tools", &may_nothing);
    }

    /// As with many tools that `filter` narrows to these.
    fn tools(&self, filter: &str) -> ToolList {
        let stock = vec![
            self.tool("find_stock", Some("Find stock"), Effect::Read, Grade::A),
            self.tool("create_purchase_order", None, Effect::Write, Grade::C),
            self.tool("adjust_stock", Some("Adjust stock"), Effect::Destructive, Grade::F),
        ];
        let customers = vec![self.tool("list_customers", Some("List customers"), Effect::Read, Grade::B)];
        let group = |source: &str, kind, tools| ToolGroup { source: source.into(), kind, tools };
        ToolList {
            groups: vec![group("stock", "sql", stock), group("crm", "openapi", customers)],
            total: if filter.is_empty() { 4 } else { 42 },
            tokens: if filter.is_empty() { 856 } else { 8_988 },
            filter: filter.to_owned(),
        }
    }

    fn tool(&self, name: &str, title: Option<&str>, effect: Effect, grade: Grade) -> Arc<ToolLine> {
        let finding = |severity, message: &str| FindingLine { severity, message: self.text(message) };
        let findings = match grade {
            Grade::A => Vec::new(),
            Grade::B => vec![finding(Severity::Warning, "The parameter `q` is not described.")],
            Grade::C | Grade::D | Grade::F => vec![
                finding(Severity::Error, "The name and the hints tell different stories."),
                finding(Severity::Note, "A repeat would do it twice, and it takes no idempotency key."),
            ],
        };
        Arc::new(ToolLine {
            name: name.to_owned(),
            title: title.map(|title| self.text(title)),
            description: self.text(
                "Units of one article on hand, per location. Returns location, units and the day of the last count, \
                 at most 200 rows.",
            ),
            effect,
            idempotent: effect.is_read(),
            open_world: grade == Grade::B,
            scope: self.text(effect.default_scope()),
            tokens: 214,
            grade,
            findings,
        })
    }
}

/// A connect page with 500 tools. Not among [`super::all`]: nobody would read it to the end.
#[must_use]
pub fn large() -> Sample {
    let texts = super::Texts { site: "Warehouse".to_owned(), client: String::new(), any: String::new() };
    let samples = Samples { texts: &texts, list: Vec::new() };
    let tool = |source: &str, number: u32| {
        let name = format!("{source}_list_things_of_kind_{number}");
        let title = (!number.is_multiple_of(3)).then_some("List things");
        let (effect, grade) = match number % 5 {
            0 => (Effect::Write, Grade::C),
            1 => (Effect::Destructive, Grade::F),
            2 => (Effect::Read, Grade::B),
            _ => (Effect::Read, Grade::A),
        };
        samples.tool(&name, title, effect, grade)
    };
    let group = |source: &str, kind, count| ToolGroup {
        source: source.into(),
        kind,
        tools: (0..count).map(|number| tool(source, number)).collect(),
    };
    let groups = vec![group("erp", "openapi", 400), group("stock", "sql", 60), group("mail", "http", 40)];
    let view = Connect {
        site: Site { name: texts.site.clone() },
        tools: Some(ToolList { groups, total: 500, tokens: 107_000, filter: String::new() }),
        ..samples.connect_page(Vec::new())
    };
    Sample { name: "connect-large".to_owned(), page: view.page() }
}
