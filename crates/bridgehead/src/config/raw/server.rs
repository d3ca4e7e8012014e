//! `[server]` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawSecret;

/// `[server]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawServer {
    /// Address and port. The variable `PORT` replaces it by `0.0.0.0:$PORT`.
    #[schemars(extend("default" = "127.0.0.1:8080"))]
    pub listen: Option<String>,
    /// What teammates type, less the path. On loopback `http://<listen>` unless given; elsewhere it must be given.
    #[schemars(extend("examples" = ["https://mcp.example.com"]))]
    pub public_url: Option<String>,
    /// Path of the MCP endpoint.
    #[schemars(extend("default" = "/mcp"))]
    pub path: Option<String>,
    /// Host names that are answered beside that of `public_url`, and beside loopback names when listening on loopback.
    #[schemars(extend("default" = []))]
    pub allowed_hosts: Option<Vec<String>>,
    /// Origins of browser clients that may call; the server's own always may.
    #[schemars(extend("default" = [], "examples" = [["https://app.example.com"]]))]
    pub allowed_origins: Option<Vec<String>>,
    /// Addresses of proxies whose forwarding header is believed; the client is the rightmost address that is not one of them.
    #[schemars(extend("default" = [], "examples" = [["10.0.0.0/8"]]))]
    pub trusted_proxies: Option<Vec<String>>,
    /// The one forwarding header that is read; the other is removed.
    pub forwarded: Option<RawForwarded>,
    /// Whether the proxies of `trusted_proxies` begin each connection with a PROXY protocol header, version 2.
    #[schemars(extend("default" = false))]
    pub proxy_protocol: Option<bool>,
    /// How long running calls may go on after SIGTERM. Keep it below the time after which the host kills.
    #[schemars(extend("default" = "25s", "examples" = ["8s"]))]
    pub drain_timeout: Option<String>,
    /// Address and port of `/metrics` and `/admin`, which live nowhere else. Off unless given.
    #[schemars(extend("examples" = ["127.0.0.1:9090"]))]
    pub admin_listen: Option<String>,
    /// HTTPS by the server itself. Leave it out behind a load balancer that ends TLS.
    pub tls: Option<RawTls>,
}

/// `server.forwarded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawForwarded {
    /// `X-Forwarded-For` and its like.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Rfc7239,
    /// None of them.
    None,
}

/// `[server.tls]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTls {
    /// PEM file with the certificate and its chain; read again when it changes.
    pub certificate: Option<String>,
    /// PEM file with the private key; read again when it changes.
    pub key: Option<String>,
    /// Automatic certificates, instead of files.
    pub acme: Option<RawAcme>,
    /// Address and port of a second listener, which sends browsers from HTTP to HTTPS and answers `http-01` challenges.
    #[schemars(extend("examples" = ["0.0.0.0:80"]))]
    pub http_listen: Option<String>,
}

/// `server.tls.acme`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAcme {
    /// Whom the certificate authority writes to. Giving it agrees to the authority's terms of service.
    #[schemars(required)]
    pub email: Option<String>,
    /// The authority: `letsencrypt`, `letsencrypt-staging` (for trying: nobody trusts its certificates), or the URL of a directory.
    #[schemars(extend("default" = "letsencrypt", "examples" = ["letsencrypt-staging", "https://acme.internal/directory"]))]
    pub directory: Option<String>,
    /// How the authority is shown that the name is ours.
    #[schemars(extend("default" = "tls-alpn-01"))]
    pub challenge: Option<RawChallenge>,
    /// The names that the certificate is for. Default: the host of `public_url`.
    #[schemars(extend("examples" = [["mcp.example.com"]]))]
    pub domains: Option<Vec<String>>,
    /// The account at the authority that new accounts are bound to, where it asks for one.
    pub external_account: Option<RawExternalAccount>,
    /// PEM file with the root certificate of the directory's own HTTPS, where the system does not trust it.
    #[schemars(extend("examples" = ["internal-ca.pem"]))]
    pub directory_root: Option<String>,
}

/// `server.tls.acme.challenge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum RawChallenge {
    /// On the HTTPS port (RFC 8737). Whatever stands in front must hand TLS through.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// On `http_listen`, which has to be port 80 seen from outside (RFC 8555 §8.3).
    #[serde(rename = "http-01")]
    Http01,
}

/// `server.tls.acme.external_account` (RFC 8555 §7.3.4).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawExternalAccount {
    /// The key's id, as the authority gives it.
    #[schemars(required)]
    pub key_id: Option<String>,
    /// The key, in base64url, as the authority gives it.
    #[schemars(required)]
    pub hmac_key: Option<RawSecret>,
}
