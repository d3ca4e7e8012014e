//! Every page with sample data: for the tests here, and for those that look at the pages in a
//! browser. Never part of a shipped server.

mod connect;

pub use connect::large;

use bridgehead_core::Secret;
use jiff::Timestamp;
use url::Url;

use super::{
    Account, AccountNotice, Answer, ApiKey, ApiKeys, Client, ClientName, Connection, Consent, Credential,
    CredentialForm, CredentialLine, CredentialNotice, CredentialState, Destination, Fault, FaultPage, FormField,
    GoBack, Identity, KeyFault, KeyState, LinkGone, LinkPurpose, LinkState, LocalPath, MissingCredential, NewApiKey,
    NotConnected, NotSignedIn, NotSignedInBecause, OptionalScope, Page, PasswordChange, PasswordFault, SetPassword,
    SignIn, SignInElsewhere, SignInFault, SignInNotice, SignedOut, Site, StoredCredential, View, Wait,
};

/// A page by its name, which is one of file names: lower-case letters, digits and `-`.
pub struct Sample {
    /// The name.
    pub name: String,
    /// The page.
    pub page: Page,
}

/// Texts of strangers and of people, as the pages get them.
pub(super) struct Texts {
    /// The server's name.
    pub(super) site: String,
    /// What a client calls itself.
    pub(super) client: String,
    /// Everything else that somebody wrote.
    pub(super) any: String,
}

/// Every page, in every state that looks different.
#[must_use]
pub fn all() -> Vec<Sample> {
    let usual = Texts { site: "Warehouse".to_owned(), client: "Duvo".to_owned(), any: String::new() };
    let mut samples = of(&usual);
    samples.push(longest());
    samples
}

/// All pages with these texts. Where `any` is empty, each place has a text that fits.
pub(super) fn of(texts: &Texts) -> Vec<Sample> {
    let mut samples = Samples { texts, list: Vec::new() };
    samples.sign_in();
    samples.sign_in_elsewhere();
    samples.passwords();
    samples.consent();
    samples.go_back();
    samples.faults();
    samples.account();
    samples.new_key();
    samples.credential();
    samples.connect();
    samples.list
}

struct Samples<'a> {
    texts: &'a Texts,
    list: Vec<Sample>,
}

impl Samples<'_> {
    fn add(&mut self, name: &str, view: &impl View) {
        self.list.push(Sample { name: name.to_owned(), page: view.page() });
    }

    fn site(&self) -> Site {
        Site { name: self.texts.site.clone() }
    }

    fn text(&self, usual: &str) -> String {
        if self.texts.any.is_empty() { usual.to_owned() } else { self.texts.any.clone() }
    }

    fn path(&self, usual: &str) -> LocalPath {
        LocalPath::parse(&format!("{usual}{}", self.texts.any)).unwrap_or_else(|| path(usual))
    }

    fn secret(&self, usual: &str) -> Secret {
        Secret::new(self.text(usual))
    }

    fn client(&self, identity: Identity) -> Client {
        Client { name: ClientName::new(&self.texts.client), identity }
    }

    fn sign_in(&mut self) {
        let plain =
            SignIn { site: self.site(), next: None, connecting: None, mail: String::new(), fault: None, notice: None };
        let connecting = SignIn {
            next: Some(self.path("/oauth/authorize?client_id=bhi_7Kq2&scope=tools%3Aread&state=x")),
            connecting: Some((self.client(Identity::SelfRegistered), duvo())),
            ..plain.clone()
        };
        let again = SignIn { mail: self.text("alice@example.com"), ..connecting.clone() };
        self.add("sign-in", &plain);
        self.add("sign-in-connecting", &connecting);
        self.add("sign-in-refused", &SignIn { fault: Some(SignInFault::Refused), ..again.clone() });
        self.add("sign-in-too-many", &SignIn { fault: Some(SignInFault::TooMany { wait: wait() }), ..again.clone() });
        self.add("sign-in-busy", &SignIn { fault: Some(SignInFault::Busy), ..again });
        self.add("sign-in-signed-out", &SignIn { notice: Some(SignInNotice::SignedOut), ..plain.clone() });
        self.add("sign-in-password-set", &SignIn { notice: Some(SignInNotice::PasswordSet), ..plain });
        self.add("sign-in-session-ended", &SignIn { notice: Some(SignInNotice::SessionEnded), ..connecting });
    }

    fn sign_in_elsewhere(&mut self) {
        let plain = SignInElsewhere {
            site: self.site(),
            host: self.text("login.example.com"),
            next: LocalPath::account(),
            connecting: None,
            notice: None,
        };
        let connecting = SignInElsewhere {
            next: self.path("/oauth/authorize?client_id=bhi_7Kq2&scope=tools%3Aread&state=x"),
            connecting: Some((self.client(Identity::SelfRegistered), duvo())),
            ..plain.clone()
        };
        self.add("elsewhere", &plain);
        self.add("elsewhere-signed-out", &SignInElsewhere { notice: Some(SignInNotice::SignedOut), ..plain });
        self.add("elsewhere-connecting", &connecting);
        let ended = SignInElsewhere { notice: Some(SignInNotice::SessionEnded), ..connecting };
        self.add("elsewhere-session-ended", &ended);
        let address = self.text("alice@example.org");
        let refusals = [
            ("other-domain", NotSignedInBecause::OtherDomain { address: address.clone() }),
            ("no-group", NotSignedInBecause::NoGroup { address: address.clone() }),
            ("mail-not-verified", NotSignedInBecause::MailNotVerified { address }),
            ("no-mail", NotSignedInBecause::NoMail),
            ("address-taken", NotSignedInBecause::AddressTaken),
            ("disabled", NotSignedInBecause::Disabled),
            ("cancelled", NotSignedInBecause::Cancelled),
            ("late", NotSignedInBecause::Late),
            ("not-of-this-browser", NotSignedInBecause::NotOfThisBrowser),
            ("down", NotSignedInBecause::Down),
            ("refused", NotSignedInBecause::Refused { code: self.text("temporarily_unavailable") }),
            ("answer", NotSignedInBecause::Answer),
        ];
        for (name, why) in refusals {
            let view = NotSignedIn {
                site: self.site(),
                host: self.text("login.example.com"),
                why,
                next: self.path("/oauth/authorize?client_id=bhi_7Kq2&state=x"),
                request_id: Some(self.text("4bf92f3577b34da6a3ce929d0e0e4736")),
            };
            self.add(&format!("not-signed-in-{name}"), &view);
        }
        let there = url("https://login.example.com/end?client_id=bridgehead&id_token_hint=eyJ");
        self.add("signed-out-elsewhere", &SignedOut { site: self.site(), host: self.text("login.example.com"), there });
    }

    fn passwords(&mut self) {
        let invitation = SetPassword {
            site: self.site(),
            token: self.secret("bhl_2nGk7sQxW0bT4vYzRj9LmPdHcEaF"),
            purpose: LinkPurpose::Invitation,
            user: self.text("alice@example.com"),
            user_fault: None,
            least_characters: 12,
            expires_at: at(3),
            fault: None,
        };
        let reset = SetPassword { purpose: LinkPurpose::Reset, ..invitation.clone() };
        self.add("password-invitation", &invitation);
        let first = SetPassword { purpose: LinkPurpose::FirstAdministrator, user: String::new(), ..invitation.clone() };
        self.add("password-first", &first);
        let user_fault = Some(self.text("That does not work: a mail address has one @ in it."));
        self.add("password-first-fault", &SetPassword { user: self.text("alice"), user_fault, ..first });
        self.add("password-reset", &reset);
        self.add("password-too-short", &SetPassword { fault: Some(PasswordFault::TooShort), ..reset.clone() });
        let too_long = PasswordFault::TooLong { most_characters: 256 };
        self.add("password-too-long", &SetPassword { fault: Some(too_long), ..reset.clone() });
        self.add("password-too-easy", &SetPassword { fault: Some(PasswordFault::TooEasy), ..reset.clone() });
        self.add("password-not-the-same", &SetPassword { fault: Some(PasswordFault::NotTheSame), ..reset });
        let gone = |state| LinkGone { site: self.site(), state };
        let (used, expired) = (gone(LinkState::Used), gone(LinkState::Expired));
        let unknown = gone(LinkState::Unknown);
        self.add("link-used", &used);
        self.add("link-expired", &expired);
        self.add("link-unknown", &unknown);
    }

    fn consent(&mut self) {
        let usual = Consent {
            site: self.site(),
            client: self.client(Identity::SelfRegistered),
            destination: duvo(),
            user: self.text("alice@example.com"),
            other_user: self.path("/login?next=%2Foauth%2Fauthorize%3Fclient_id%3Dbhi_7Kq2"),
            optional: vec![OptionalScope { scope: "tools:write".to_owned(), ticked: true }],
            missing: Vec::new(),
            query: self.text("client_id=bhi_7Kq2&response_type=code&scope=tools%3Aread+tools%3Awrite"),
            csrf: self.secret("c2FtcGxlLXRva2Vu"),
        };
        let loopback = Destination::of(&url("http://127.0.0.1:33418/callback"));
        let lookalike = Destination::of(&url("https://platform.duvо.ai/v1/oauth/mcp/callback"));
        let app = Destination::of(&url("cursor://anysphere.cursor-mcp/oauth/callback"));
        let domain = self.client(Identity::Domain { host: "claude.ai".to_owned() });
        let claude = Destination::of(&url("https://claude.ai/api/mcp/auth_callback"));
        let own = vec![
            OptionalScope { scope: "tools:write".to_owned(), ticked: false },
            OptionalScope { scope: self.text("orders:approve"), ticked: false },
        ];
        self.add("consent", &usual);
        self.add("consent-verified", &Consent { client: domain, destination: claude, ..usual.clone() });
        self.add("consent-loopback", &Consent { destination: loopback, ..usual.clone() });
        self.add("consent-app", &Consent { destination: app, ..usual.clone() });
        self.add("consent-look-alike", &Consent { destination: lookalike, ..usual.clone() });
        self.add("consent-own-scopes", &Consent { optional: own, ..usual.clone() });
        let next = "next=%2Foauth%2Fauthorize%3Fclient_id%3Dbhi_7Kq2";
        let missing = vec![
            MissingCredential {
                title: self.text("the CRM"),
                page: self.path(&format!("/account/credentials/crm?{next}")),
            },
            MissingCredential {
                title: self.text("the parcel service"),
                page: self.path(&format!("/account/credentials/parcels?{next}")),
            },
        ];
        self.add("consent-missing-credentials", &Consent { missing, ..usual.clone() });
        let known = self.client(Identity::Preregistered);
        self.add("consent-read-only", &Consent { client: known, optional: Vec::new(), ..usual });
    }

    fn go_back(&mut self) {
        let allowed = GoBack {
            site: self.site(),
            client: self.client(Identity::SelfRegistered),
            answer: Answer::Allowed,
            redirect: url("https://platform.duvo.ai/v1/oauth/mcp/callback?code=bhc_x&state=a%22b&iss=https%3A%2F%2Fm"),
        };
        let loopback = url("http://127.0.0.1:33418/callback?code=bhc_x&state=y");
        let app = url("cursor://anysphere.cursor-mcp/oauth/callback?code=bhc_x&state=y");
        let denied = url("https://platform.duvo.ai/v1/oauth/mcp/callback?error=access_denied&state=y");
        self.add("go-back", &allowed);
        self.add("go-back-loopback", &GoBack { redirect: loopback, ..allowed.clone() });
        self.add("go-back-app", &GoBack { redirect: app, ..allowed.clone() });
        self.add("go-back-denied", &GoBack { answer: Answer::Denied, redirect: denied, ..allowed });
    }

    fn faults(&mut self) {
        let again = self.path("/oauth/authorize?client_id=bhi_7Kq2&state=x");
        let detail = self.text("The parameter code_challenge_method is plain; this server takes S256 alone.");
        let unknown = self.text("Its client id is bhi_7Kq2.");
        let faults = [
            ("unknown-client", Fault::UnknownClient { detail: Some(unknown) }),
            ("bad-redirect", Fault::BadRedirect { destination: Some(Destination::of(&url("https://evil.example/x"))) }),
            ("no-redirect", Fault::BadRedirect { destination: None }),
            ("bad-request", Fault::BadRequest { detail }),
            ("session-expired", Fault::SessionExpired { again: again.clone() }),
            ("form-expired", Fault::FormExpired { again }),
            ("from-elsewhere", Fault::FromElsewhere),
            ("too-many", Fault::TooMany { wait: wait() }),
            ("not-found", Fault::NotFound),
            ("unavailable", Fault::Unavailable),
            ("internal", Fault::Internal),
        ];
        for (name, fault) in faults {
            let id = self.text("4bf92f3577b34da6a3ce929d0e0e4736");
            let page = FaultPage { site: self.site(), fault, request_id: Some(id) };
            self.add(&format!("fault-{name}"), &page);
        }
    }

    fn account(&mut self) {
        let connections = vec![
            self.connection("bhn_1", Identity::SelfRegistered, duvo(), &["tools:read", "tools:write"], Some(at(0))),
            self.connection(
                "bhn_2",
                Identity::Domain { host: "claude.ai".to_owned() },
                Destination::of(&url("https://claude.ai/api/mcp/auth_callback")),
                &["tools:read"],
                None,
            ),
        ];
        let key = ApiKey {
            id: "bhk_8sWq2LkP0xNv".to_owned(),
            label: Some(self.text("Laptop")),
            scopes: scopes(&["tools:read", "tools:write"]),
            created_at: at(0),
            expires_at: Some(at(2)),
            last_used_at: Some(at(1)),
            state: KeyState::Good,
        };
        let expired = ApiKey { label: None, state: KeyState::Expired, last_used_at: None, ..key.clone() };
        let revoked = ApiKey { state: KeyState::Revoked, expires_at: None, ..key.clone() };
        let full = Account {
            site: self.site(),
            user: self.text("alice@example.com"),
            csrf: self.secret("c2FtcGxlLXRva2Vu"),
            connections,
            credentials: vec![
                self.credential_line("the CRM", CredentialState::Good { since: at(1) }),
                self.credential_line("the parcel service", CredentialState::Missing),
                self.credential_line("the ERP", CredentialState::NotGood),
            ],
            keys: Some(ApiKeys { keys: vec![key, expired, revoked], label: String::new(), fault: None }),
            password: Some(PasswordChange { least_characters: 12, wrong_current: false, fault: None }),
            notice: None,
        };
        let empty = Account {
            connections: Vec::new(),
            credentials: Vec::new(),
            keys: Some(ApiKeys { keys: Vec::new(), label: String::new(), fault: None }),
            ..full.clone()
        };
        let faulty = Account {
            keys: Some(ApiKeys {
                keys: Vec::new(),
                label: self.text("Laptop"),
                fault: Some(KeyFault::Label { most_characters: 255 }),
            }),
            password: None,
            ..full.clone()
        };
        let wrong_password = Account {
            keys: None,
            password: Some(PasswordChange {
                least_characters: 12,
                wrong_current: true,
                fault: Some(PasswordFault::NotTheSame),
            }),
            ..full.clone()
        };
        let short =
            Account { connections: Vec::new(), credentials: Vec::new(), keys: None, password: None, ..full.clone() };
        self.add("account", &full);
        self.add("account-empty", &empty);
        self.add("account-key-fault", &faulty);
        self.add("account-password-fault", &wrong_password);
        let notices = [
            ("disconnected", AccountNotice::Disconnected { client: ClientName::new(&self.texts.client) }),
            ("key-revoked", AccountNotice::KeyRevoked { id: self.text("bhk_8sWq2LkP0xNv") }),
            ("password-changed", AccountNotice::PasswordChanged),
            ("too-many", AccountNotice::TooMany { wait: wait() }),
        ];
        for (name, notice) in notices {
            self.add(&format!("account-{name}"), &Account { notice: Some(notice), ..short.clone() });
        }
    }

    fn new_key(&mut self) {
        let new_key = NewApiKey {
            site: self.site(),
            user: self.text("alice@example.com"),
            key: self.secret("bhk_8sWq2LkP0xNv_4Jt7Yc1ZrXb9KdQ3hMfUe6GwAaSn5TiVoLp2CzBxEjRyDg0u1kOq"),
            header: None,
            label: Some(self.text("Laptop")),
            expires_at: Some(at(2)),
            endpoint_url: self.text("https://mcp.example.com/mcp"),
        };
        self.add("new-key", &new_key);
        let forever = NewApiKey { header: Some(self.text("X-Api-Key")), label: None, expires_at: None, ..new_key };
        self.add("new-key-forever", &forever);
    }

    fn credential_line(&self, title: &str, state: CredentialState) -> CredentialLine {
        CredentialLine { title: self.text(title), page: self.path("/account/credentials/crm"), state }
    }

    fn credential(&mut self) {
        let field = |name: &str, label: &str| FormField { name: name.to_owned(), label: label.to_owned(), fault: None };
        let empty = Credential {
            site: self.site(),
            user: self.text("alice@example.com"),
            other_user: self.path("/login?next=%2Faccount%2Fcredentials%2Fcrm"),
            title: self.text("the CRM"),
            page: self.path("/account/credentials/crm"),
            form: CredentialForm::Fields(vec![field("api_key", &self.text("Your CRM key"))]),
            stored: None,
            csrf: self.secret("c2FtcGxlLXRva2Vu"),
            next: None,
            notice: None,
        };
        let good = StoredCredential { since: at(1), refused_at: None, is_usable: true };
        let next = Some(self.path("/oauth/authorize?client_id=bhi_7Kq2&state=x"));
        let wrong = FormField { fault: Some("Fill this in."), ..field("tenant", &self.text("Your tenant")) };
        let two = CredentialForm::Fields(vec![field("api_key", &self.text("Your CRM key")), wrong]);
        let saved = Credential { stored: Some(good), notice: Some(CredentialNotice::Saved), ..empty.clone() };
        let connect = Credential { form: CredentialForm::Connect, ..empty.clone() };
        self.add("credential", &empty);
        self.add("credential-stored", &Credential { stored: Some(good), ..empty.clone() });
        self.add("credential-fault", &Credential { form: two, ..empty.clone() });
        self.add("credential-saved", &saved);
        self.add("credential-saved-connecting", &Credential { next: next.clone(), ..saved.clone() });
        self.add("credential-removed", &Credential { notice: Some(CredentialNotice::Removed), ..empty.clone() });
        let refused = StoredCredential { refused_at: Some(at(2)), ..good };
        self.add("credential-refused", &Credential { stored: Some(refused), ..empty.clone() });
        let unusable = StoredCredential { is_usable: false, ..good };
        self.add("credential-unusable", &Credential { stored: Some(unusable), ..empty });
        self.add("credential-connect", &Credential { next, ..connect.clone() });
        self.add("credential-connected", &Credential { form: CredentialForm::Connect, ..saved });
        for why in NotConnected::ALL {
            let notice = Some(CredentialNotice::NotConnected(why));
            self.add(&format!("credential-{}", why.as_str()), &Credential { notice, ..connect.clone() });
        }
    }

    fn connection(
        &self,
        grant: &str,
        identity: Identity,
        destination: Destination,
        allowed: &[&str],
        last_used_at: Option<Timestamp>,
    ) -> Connection {
        Connection {
            grant: self.text(grant),
            client: self.client(identity),
            destination,
            scopes: scopes(allowed),
            connected_at: at(0),
            last_used_at,
        }
    }
}

/// A consent page on which everything is as long as it can be.
fn longest() -> Sample {
    let view = Consent {
        site: Site { name: "The Warehouse of the Whole Northern Hemisphere and Some Islands".to_owned() },
        client: Client { name: ClientName::new(&"Wwwwwwwwww".repeat(20)), identity: Identity::SelfRegistered },
        destination: Destination::Site { host: format!("{}.example.com", "a-very-long-label-".repeat(10)) },
        user: format!("{}@example.com", "alice".repeat(40)),
        other_user: path("/login"),
        optional: vec![OptionalScope { scope: "x".repeat(120), ticked: false }],
        missing: vec![MissingCredential {
            title: "CustomerRelationship".repeat(10),
            page: path("/account/credentials/crm"),
        }],
        query: String::new(),
        csrf: Secret::new(String::new()),
    };
    Sample { name: "consent-longest".to_owned(), page: view.page() }
}

fn duvo() -> Destination {
    Destination::of(&url("https://platform.duvo.ai/v1/oauth/mcp/callback"))
}

fn url(text: &str) -> Url {
    #[expect(clippy::expect_used, reason = "the URLs stand in this file")]
    Url::parse(text).expect("a URL")
}

fn path(text: &str) -> LocalPath {
    #[expect(clippy::expect_used, reason = "the paths stand in this file")]
    LocalPath::parse(text).expect("a path here")
}

fn scopes(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| (*token).to_owned()).collect()
}

/// Four moments, each some weeks after the one before.
fn at(number: i64) -> Timestamp {
    #[expect(clippy::expect_used, reason = "the seconds stand here")]
    Timestamp::from_second(1_763_881_380 + number * 3_456_789).expect("a moment")
}

fn wait() -> Wait {
    Wait::new(at(1), at(1) + jiff::SignedDuration::from_secs(290))
}
