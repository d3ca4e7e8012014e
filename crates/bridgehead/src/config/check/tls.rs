//! `[server.tls]`. Whether the files hold a certificate and its key is seen when they are opened.

use std::net::SocketAddr;

use bridgehead_core::Secret;
use url::{Host, Url};

use super::{Check, server::overlap};
use crate::config::{
    fault::KeyPath,
    raw::{RawAcme, RawChallenge, RawExternalAccount, RawTls},
    settings::{AcmeChallenge, AcmeSettings, CertificateSettings, PublicUrl, TlsSettings},
};

/// Let's Encrypt, as its documentation names them.
const LETSENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETSENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// What the rest of `[server]` says that matters here.
pub(super) struct AroundTls<'a> {
    pub(super) listen: Option<SocketAddr>,
    pub(super) public_url: Option<&'a PublicUrl>,
}

impl Check<'_> {
    pub(super) fn tls(&mut self, raw: RawTls, around: &AroundTls<'_>) -> Option<TlsSettings> {
        let path = KeyPath::of(["server", "tls"]);
        let http_path = path.key("http_listen");
        let http_listen = raw.http_listen.as_deref().map(|text| self.address(&http_path, text, "0.0.0.0:80"));
        if let (Some(listen), Some(Some(http))) = (around.listen, http_listen)
            && overlap(listen, http)
        {
            self.findings.fault(
                &http_path,
                format!("is the address that `server.listen` takes ({listen}), where HTTPS is spoken"),
                "give it a port of its own: \"0.0.0.0:80\", or one that port 80 is forwarded to",
            );
        }
        let certificate = match (raw.certificate, raw.key, raw.acme) {
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                self.findings.fault(
                    &path.key("acme"),
                    "stands beside a certificate from files",
                    "leave out `acme`, or `certificate` and `key`",
                );
                None
            }
            (None, None, Some(acme)) => self.acme(&path.key("acme"), acme, around, http_listen.is_some()),
            (Some(certificate), Some(key), None) => Some(CertificateSettings::Files {
                certificate: self.file(&path.key("certificate"), &certificate)?,
                key: self.file(&path.key("key"), &key)?,
            }),
            (Some(_), None, None) => {
                self.findings.missing(
                    &path.key("key"),
                    "is missing: a certificate is of no use without its private key",
                    "add `key = \"tls/key.pem\"`, or put both into one file and name it twice",
                );
                None
            }
            (None, Some(_), None) => {
                self.findings.missing(
                    &path.key("certificate"),
                    "is missing: the private key alone proves nothing",
                    "add `certificate = \"tls/cert.pem\"`, with the whole chain in it",
                );
                None
            }
            (None, None, None) => {
                self.findings.missing(
                    &path,
                    "names no certificate",
                    "add `certificate` and `key`, or `acme = { email = \"ops@example.com\" }`, or leave the table out where something in front ends TLS",
                );
                None
            }
        };
        if let Some(PublicUrl::Given(url)) = around.public_url
            && url.scheme() == "http"
        {
            self.findings.fault(
                &KeyPath::of(["server", "public_url"]),
                "begins with http://, and `[server.tls]` serves HTTPS",
                format!("write \"https://{}\"", url.host().map(|host| host.to_string()).unwrap_or_default()),
            );
        }
        Some(TlsSettings {
            certificate: certificate?,
            http_listen: match http_listen {
                Some(address) => Some(address?),
                None => None,
            },
        })
    }

    fn file(&mut self, path: &KeyPath, text: &str) -> Option<std::path::PathBuf> {
        if text.trim().is_empty() {
            self.findings.fault(path, "names no file", "write the name of a PEM file, for example \"tls/cert.pem\"");
            return None;
        }
        Some(self.absolute(text))
    }

    fn acme(
        &mut self,
        path: &KeyPath,
        raw: RawAcme,
        around: &AroundTls<'_>,
        has_http_listen: bool,
    ) -> Option<CertificateSettings> {
        let email = raw.email.and_then(|email| self.email(&path.key("email"), email));
        let directory = self.directory(&path.key("directory"), raw.directory.as_deref().unwrap_or("letsencrypt"));
        let challenge = match raw.challenge.unwrap_or(RawChallenge::TlsAlpn01) {
            RawChallenge::TlsAlpn01 => AcmeChallenge::TlsAlpn01,
            RawChallenge::Http01 => AcmeChallenge::Http01,
        };
        if challenge == AcmeChallenge::Http01 && !has_http_listen {
            self.findings.missing(
                &KeyPath::of(["server", "tls", "http_listen"]),
                "must be given, as the authority asks for `http-01` challenges by HTTP on port 80",
                "add `http_listen = \"0.0.0.0:80\"`, or use the challenge \"tls-alpn-01\"",
            );
        }
        let domains = self.domains(&path.key("domains"), raw.domains, around.public_url);
        let external = raw.external_account.map(|raw| self.external(&path.key("external_account"), raw));
        let directory_root = match raw.directory_root {
            Some(file) => Some(self.file(&path.key("directory_root"), &file)?),
            None => None,
        };
        Some(CertificateSettings::Acme(Box::new(AcmeSettings {
            email: email?,
            directory: directory?,
            challenge,
            domains: domains?,
            external_account: match external {
                Some(account) => Some(account?),
                None => None,
            },
            directory_root,
        })))
    }

    fn email(&mut self, path: &KeyPath, text: String) -> Option<String> {
        let plain = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if plain && !text.contains(char::is_whitespace) {
            return Some(text);
        }
        let shown = self.findings.places.quote(path, &text);
        self.findings.fault(
            path,
            format!("{shown} is no mail address"),
            "write one that somebody reads, for example \"ops@example.com\": the authority warns there",
        );
        None
    }

    fn directory(&mut self, path: &KeyPath, text: &str) -> Option<Url> {
        let text = match text {
            "letsencrypt" => LETSENCRYPT,
            "letsencrypt-staging" => LETSENCRYPT_STAGING,
            other => other,
        };
        match Url::parse(text) {
            Ok(url) if url.scheme() == "https" && url.has_host() => Some(url),
            _ => {
                let shown = self.findings.places.quote(path, text);
                self.findings.fault(
                    path,
                    format!("{shown} is no directory of an ACME authority"),
                    "write \"letsencrypt\", \"letsencrypt-staging\", or the https:// URL of the directory",
                );
                None
            }
        }
    }

    fn domains(
        &mut self,
        path: &KeyPath,
        given: Option<Vec<String>>,
        public_url: Option<&PublicUrl>,
    ) -> Option<Vec<String>> {
        const MEND: &str = "write DNS names such as \"mcp.example.com\", without a star, a port or a scheme";
        if let Some(given) = given {
            if given.is_empty() {
                self.findings.fault(path, "names nothing", "leave it out for the host of `public_url`");
                return None;
            }
            let names = self.each(path, Some(given), |text| dns_name(text).ok_or(MEND));
            return Some(names);
        }
        let host = match public_url? {
            PublicUrl::Given(url) => url.host_str().and_then(dns_name),
            PublicUrl::SameAsListen(_) => None,
        };
        if host.is_none() {
            self.findings.missing(
                &KeyPath::of(["server", "public_url"]),
                "must have a DNS name as its host: a certificate is issued for that name",
                "write `public_url = \"https://mcp.example.com\"`, whose name leads to this server from everywhere",
            );
        }
        host.map(|host| vec![host])
    }

    fn external(&mut self, path: &KeyPath, raw: RawExternalAccount) -> Option<(String, Secret)> {
        let (id, key) = (raw.key_id?, raw.hmac_key?);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if key.0.trim_end_matches('=').is_empty() || !key.0.trim_end_matches('=').bytes().all(legal) {
            self.findings.fault(
                &path.key("hmac_key"),
                "is not in base64url (A-Z a-z 0-9 - _)",
                "copy it again from the authority's page, whole",
            );
            return None;
        }
        Some((id, Secret::new(key.0)))
    }
}

/// A DNS name that a certificate can be issued for, in lower case.
fn dns_name(text: &str) -> Option<String> {
    let Ok(Host::Domain(name)) = Host::parse(text) else { return None };
    let known = !(name == "localhost" || name.ends_with(".localhost")) && name.contains('.') && !name.contains('*');
    known.then(|| name.trim_end_matches('.').to_ascii_lowercase())
}
