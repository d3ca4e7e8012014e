//! A garden: a real server, the proxy in front of it, and everything that a doctor needs to visit it.

use std::{net::SocketAddr, sync::Arc};

use bridgehead_core::{Clock, Secret};
use bridgehead_doctor::{
    Examined, Profile, Progress, Report, SignIn, Target, examine,
    visit::{Surroundings, Visit},
};
use bridgehead_harness::{SeededRandomness, TestServer, WAREHOUSE_TABLES};
use bridgehead_outbound::Net;
use http::{HeaderName, header};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};
use url::Url;

use crate::{Fault, Tampering, Teammate, proxy::Proxy};

/// The name of a garden on the internet.
pub const NAME: &str = "mcp.example.com";

/// How the server asks who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does not.
    Open,
    /// By a key in `Authorization`.
    ApiKey,
    /// By keys in two headers of its own.
    Headers,
    /// By OAuth, with its own authorization server.
    OAuth,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::ApiKey, Self::Headers, Self::OAuth];

    const fn configuration(self) -> &'static str {
        match self {
            Self::Open => "mode = \"open\"",
            Self::ApiKey => "mode = \"api_key\"",
            Self::Headers => "mode = \"headers\"\nheaders.required = [\"X-Api-Key\", \"X-Tenant\"]",
            Self::OAuth => "mode = \"oauth\"",
        }
    }
}

/// Where a garden stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// On the internet, for all that the doctor can see: [`NAME`], a public address, `https`.
    Internet,
    /// On this machine: `http://127.0.0.1:PORT`.
    Loopback,
}

/// A running garden; gone when dropped.
pub struct Garden {
    /// Behind it.
    server: TestServer,
    origin: String,
    typed: Option<fn(&mut Url)>,
    net: Net,
    credential: Vec<(HeaderName, Secret)>,
    serving: JoinHandle<()>,
    _nobody: TcpSocket,
}

impl Garden {
    /// In good health.
    pub async fn healthy(mode: Mode, way: Way) -> Self {
        Self::planted(mode, way, Tampering::none()).await
    }

    /// With this fault.
    pub async fn with(fault: &Fault) -> Self {
        Self::planted(fault.mode, fault.way, (fault.commit)()).await
    }

    /// With whatever this does.
    pub async fn planted(mode: Mode, way: Way, tampering: Tampering) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let origin = match way {
            Way::Internet => format!("https://{NAME}"),
            Way::Loopback => format!("http://{address}"),
        };
        let server = TestServer::with(&configuration(mode, &origin)).file("warehouse.sql", WAREHOUSE_TABLES);
        let server = server.start().await;
        let credential = credential(mode, &server).await;
        if mode == Mode::OAuth {
            server.user(Teammate::MAIL, Teammate::PASSWORD, "tools:read tools:write").await;
        }
        let chain = tampering.network.certificate.issue();
        let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain.certificates, chain.key)
            .expect("a certificate and its key");
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Bound and not listening: the port is taken, and refuses.
        let nobody = TcpSocket::new_v4().expect("a socket");
        nobody.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let clock: Arc<dyn Clock> = Arc::new(server.clock.clone());
        let net = tampering.network.net(clock, &chain.root, address, nobody.local_addr().expect("an address"));
        let typed = tampering.typed;
        let proxy = Arc::new(Proxy {
            tampering,
            way,
            origin: origin.clone(),
            behind: server.address,
            clock: server.clock.clone(),
            tls: TlsAcceptor::from(Arc::new(tls)),
        });
        let serving = tokio::spawn(proxy.serve(listener));
        Self { server, origin, typed, net, credential, serving, _nobody: nobody }
    }

    /// Its origin: `https://mcp.example.com`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its endpoint, as a teammate types it.
    #[must_use]
    pub fn endpoint(&self) -> Url {
        Url::parse(&format!("{}/mcp", self.origin)).expect("a URL")
    }

    /// What a doctor is given: the endpoint as it was typed, and the credential that its mode wants.
    #[must_use]
    pub fn target(&self, profile: Profile) -> Target {
        let mut url = self.endpoint();
        if let Some(change) = self.typed {
            change(&mut url);
        }
        Target { url, profile, headers: self.credential.clone() }
    }

    /// The outside as a doctor in front of this garden has it. The clock is the server's as well, and moves only where a
    /// fault lets time pass.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings {
        Surroundings {
            net: self.net.clone(),
            clock: Arc::new(self.server.clock.clone()),
            randomness: Arc::new(SeededRandomness::new(7)),
            sign_in: Some(self.sign_in()),
        }
    }

    /// A teammate who signs in and consents on the server's own pages, by way of the garden.
    #[must_use]
    pub fn sign_in(&self) -> Arc<dyn SignIn> {
        Arc::new(Teammate::new(self.net.clone(), &self.origin))
    }

    /// Lets a doctor visit.
    pub async fn examine(&self, profile: Profile) -> Report {
        self.examine_with(profile, self.surroundings()).await
    }

    /// Lets a doctor visit who has other surroundings.
    pub async fn examine_with(&self, profile: Profile, surroundings: Surroundings) -> Report {
        struct Silent;
        impl Progress for Silent {
            fn examined(&self, _: &Examined) {}
        }
        examine(Visit::new(self.target(profile), surroundings, &Silent)).await
    }
}

impl Drop for Garden {
    fn drop(&mut self) {
        self.serving.abort();
        self.server.begin_stop();
    }
}

async fn credential(mode: Mode, server: &TestServer) -> Vec<(HeaderName, Secret)> {
    match mode {
        Mode::Open | Mode::OAuth => Vec::new(),
        Mode::ApiKey => {
            let (_, key) = server.key("doctor@example.com", "tools:read", None).await;
            vec![(header::AUTHORIZATION, Secret::new(format!("Bearer {key}")))]
        }
        Mode::Headers => {
            let mut headers = Vec::new();
            for name in ["x-api-key", "x-tenant"] {
                let (_, key) = server.key_in(Some(name), "doctor@example.com", "tools:read", None).await;
                headers.push((HeaderName::from_static(name), Secret::new(key)));
            }
            headers
        }
    }
}

fn configuration(mode: Mode, origin: &str) -> String {
    let auth = mode.configuration();
    format!(
        r#"
name = "Warehouse"
[server]
listen = "127.0.0.1:0"
public_url = "{origin}"
trusted_proxies = ["127.0.0.0/8"]
forwarded = "x-forwarded"

[auth]
{auth}

[sources.stock]
type = "sql"
url = "sqlite:warehouse.db"
seed = "warehouse.sql"

[sources.stock.tools.list_articles]
description = "Every article of the warehouse with its stock keeping unit, name and price in cents."
sql = "SELECT sku, name, price_cents FROM article ORDER BY sku"

[sources.stock.tools.find_stock]
description = "Units of one article on hand, per location."
sql = "SELECT location, units FROM stock WHERE sku = :sku ORDER BY location"
parameters.sku = {{ type = "string", description = "Stock keeping unit, for example A-1" }}

[sources.stock.tools.set_units]
description = "Sets the units of one article at one location, and returns them."
sql = "UPDATE stock SET units = :units WHERE sku = :sku AND location = :location RETURNING units"
parameters.sku = {{ type = "string", description = "Stock keeping unit, for example A-1" }}
parameters.location = {{ type = "string", description = "Code of the location, for example NORTH" }}
parameters.units = {{ type = "integer", description = "How many units are there" }}
"#
    )
}
