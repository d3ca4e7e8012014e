//! `[vaults.NAME]`: what each teammate enters or connects once for a system behind.

use bridgehead_auth::credentials::{OAuthVault, TokenEndpointAuth, VaultDefinition, VaultField, VaultKind};
use bridgehead_core::{ScopeSet, Secret};
use bridgehead_sources::http::Credential;
use url::{Host, Url};

use super::Check;
use crate::config::{
    fault::KeyPath,
    raw::{RawTokenEndpointAuth, RawVault, RawVaultOauth, Table},
    settings::{AuthSettings, SourceKind, SourceSettings},
};

/// How many fields a teammate can be asked for.
const MOST_FIELDS: usize = 10;

/// A vault that was looked at.
pub(super) struct CheckedVault {
    pub(super) name: String,
    /// None where it is wrong, which was said then.
    pub(super) definition: Option<VaultDefinition>,
}

impl Check<'_> {
    pub(super) fn vaults(&mut self, raw: Table<RawVault>) -> Vec<CheckedVault> {
        let check = |(name, raw): (String, RawVault)| {
            let definition = self.vault(&KeyPath::of(["vaults", &name]), &name, raw);
            CheckedVault { name, definition }
        };
        raw.0.into_iter().map(check).collect()
    }

    fn vault(&mut self, path: &KeyPath, name: &str, raw: RawVault) -> Option<VaultDefinition> {
        let is_name = is_word(name, &['_', '-']);
        if !is_name {
            self.findings.fault_at_key(
                path,
                "the name of a vault has a letter first, then a-z 0-9 _ -",
                "call it `[vaults.crm]`, for example; it stands in the address where teammates enter theirs",
            );
        }
        let title = raw.title.map_or_else(|| name.to_owned(), |title| title.trim().to_owned());
        if title.is_empty() {
            let path = path.key("title");
            self.findings.fault(&path, "is empty", "write what teammates know the system by, or leave it out");
        }
        let kind = match (raw.fields.0.as_slice(), raw.oauth) {
            ([], None) => {
                self.findings.missing(
                    path,
                    "says neither what teammates fill in nor where they connect",
                    "write `fields = { api_key = \"Your key\" }`, or `oauth` with `authorization_url`, `token_url` and `client_id`",
                );
                None
            }
            ([_, ..], Some(_)) => {
                self.findings.fault_at_key(
                    path,
                    "is filled in and connected at once",
                    "keep one of `fields` and `oauth`, and write another vault for the other",
                );
                None
            }
            ([_, ..], None) => self.fields(&path.key("fields"), raw.fields).map(VaultKind::Fields),
            ([], Some(oauth)) => {
                self.vault_oauth(&path.key("oauth"), oauth).map(|oauth| VaultKind::OAuth(Box::new(oauth)))
            }
        };
        let kind = kind.filter(|_| is_name && !title.is_empty())?;
        Some(VaultDefinition { name: name.into(), title, kind })
    }

    fn fields(&mut self, path: &KeyPath, raw: Table<String>) -> Option<Vec<VaultField>> {
        if raw.0.len() > MOST_FIELDS {
            let message = format!("are more than {MOST_FIELDS}");
            self.findings.fault(path, message, "ask for what the system needs to know whose call it is");
        }
        let mut fields = Vec::new();
        for (name, label) in &raw.0 {
            let path = path.key(name);
            if !is_word(name, &['_']) || is_taken(name) {
                self.findings.fault_at_key(
                    &path,
                    "cannot be the name of a field",
                    "write a letter first, then a-z 0-9 _, for example `api_key`; `csrf` and `next` are taken",
                );
            } else if label.trim().is_empty() {
                self.findings.fault(&path, "is empty", "write what the teammate is asked for: \"Your CRM key\"");
            } else {
                fields.push(VaultField { name: name.clone(), label: label.trim().to_owned() });
            }
        }
        (fields.len() == raw.0.len() && fields.len() <= MOST_FIELDS).then_some(fields)
    }

    fn vault_oauth(&mut self, path: &KeyPath, raw: RawVaultOauth) -> Option<OAuthVault> {
        let authorization_url =
            raw.authorization_url.and_then(|url| self.secure_url(&path.key("authorization_url"), &url));
        let token_url = raw.token_url.and_then(|url| self.secure_url(&path.key("token_url"), &url));
        let scopes_path = path.key("scopes");
        let scopes = raw.scopes.unwrap_or_default();
        let mut are_scopes = true;
        for (index, scope) in scopes.iter().enumerate() {
            let is_one = ScopeSet::parse(scope).is_ok_and(|set| set.iter().eq([scope.as_str()]));
            if !is_one {
                are_scopes = false;
                let path = scopes_path.index(index);
                let shown = self.findings.places.quote(&path, scope);
                self.findings.fault(&path, format!("{shown} is not a scope"), "write one word in each");
            }
        }
        let client_id = raw.client_id?;
        if client_id.trim().is_empty() {
            let path = path.key("client_id");
            self.findings.fault(&path, "is empty", "write the id under which Bridgehead is registered there");
            return None;
        }
        are_scopes.then_some(())?;
        Some(OAuthVault {
            authorization_url: authorization_url?,
            token_url: token_url?,
            client_id,
            client_secret: raw.client_secret.map(|secret| Secret::new(secret.0)),
            token_endpoint_auth: match raw.token_endpoint_auth_method {
                None | Some(RawTokenEndpointAuth::ClientSecretBasic) => TokenEndpointAuth::Basic,
                Some(RawTokenEndpointAuth::ClientSecretPost) => TokenEndpointAuth::Post,
            },
            scopes,
        })
    }

    /// A URL that teammates, codes and tokens go to: nobody on the way may read them.
    fn secure_url(&mut self, path: &KeyPath, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| {
            let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
            is_secure
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        if url.is_none() {
            let shown = self.findings.places.quote(path, text);
            self.findings.fault(
                path,
                format!("{shown} is not an https URL"),
                "write it whole, without user, password and `#`, for example \"https://crm.example.com/oauth/token\"; \
                 http is taken on loopback alone",
            );
        }
        url
    }

    /// Who enters something has to be told from all others: where nobody signs in, a link could be
    /// anybody's.
    pub(super) fn teammates_sign_in_here(&mut self, auth: &AuthSettings, vaults: &[CheckedVault]) {
        if auth.oauth().is_some() {
            return;
        }
        for vault in vaults {
            self.findings.fault_at_key(
                &KeyPath::of(["vaults", &vault.name]),
                "is what each teammate enters on a page of their own, and with this `auth.mode` nobody signs in here",
                "add \"oauth\" to `auth.mode`, with the built-in issuer, or use `credential = { header, value }`, or `{ from = \"caller\" }`",
            );
        }
    }

    pub(super) fn vaults_are_used(&mut self, vaults: &[CheckedVault], sources: &[SourceSettings]) {
        let is_used = |name: &str| {
            sources.iter().any(|source| {
                let credential = match &source.kind {
                    SourceKind::Http(http) => &http.credential,
                    SourceKind::OpenApi(openapi) => &openapi.settings.credential,
                    SourceKind::Sql(_) => return false,
                };
                matches!(credential, Credential::Vault(vault) if vault.vault == name)
            })
        };
        let unused: Vec<_> = vaults.iter().filter(|vault| !is_used(&vault.name)).map(|vault| &vault.name).collect();
        for name in unused {
            self.findings.warn(
                &KeyPath::of(["vaults", name]),
                "no source uses it, and teammates are asked for it all the same",
                format!("write `credential = {{ vault = \"{name}\" }}` in a source, or remove this table"),
            );
        }
    }
}

fn is_word(text: &str, more: &[char]) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(&c);
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(legal)
}

/// What else the form carries.
fn is_taken(name: &str) -> bool {
    ["csrf", "next"].contains(&name)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
