//! `auth.oauth.login` with an identity provider: which one, who Bridgehead is to it, and who of it gets in.
//! Whether it is there is seen when somebody signs in.

use std::collections::BTreeMap;

use bridgehead_auth::{
    MailAddress,
    provider::{MailVerification, ProviderSettings},
    remote::{ClientCredentials, IssuerUrl, IssuerUrlError},
};
use bridgehead_core::{ScopeSet, Secret};

use super::Check;
use crate::config::{
    fault::KeyPath,
    raw::{RawEmailVerified, RawPrompt, RawProvider, Table},
};

/// Issuers at which anybody can have an account.
const FOR_EVERYBODY: [&str; 4] = [
    "https://accounts.google.com",
    "https://appleid.apple.com",
    "https://gitlab.com",
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
];

impl Check<'_> {
    pub(super) fn provider(&mut self, path: &KeyPath, raw: RawProvider) -> Option<ProviderSettings> {
        // What is not there at all was named by the schema.
        let issuer = raw.issuer.as_deref().and_then(|text| self.provider_issuer(&path.key("issuer"), text));
        let client = self.provider_client(path, raw.client_id, raw.client_secret.map(|secret| secret.0));
        let domains = self.mail_domains(&path.key("domains"), raw.domains);
        let groups = self.groups(&path.key("groups"), raw.groups);
        let groups_claim =
            self.words(&path.key("groups_claim"), raw.groups_claim.map(|claim| vec![claim]), "\"groups\"");
        let claims = self.words(&path.key("claims"), raw.claims, "[\"department\"]");
        let scopes = self.words(&path.key("scopes"), raw.scopes, "[\"groups\"]");
        if let (Some(issuer), Some(domains), Some(groups)) = (&issuer, &domains, &groups)
            && domains.is_empty()
            && groups.is_empty()
            && FOR_EVERYBODY.contains(&issuer.as_str().trim_end_matches('/'))
        {
            self.findings.fault_at_key(
                path,
                "lets the whole world in: anybody can have an account at this provider",
                "add `domains = [\"example.com\"]`, so that only mail addresses of your company get in",
            );
        }
        Some(ProviderSettings {
            scopes: scopes?,
            prompt: raw.prompt.map(|prompt| word(prompt).to_owned()),
            domains: domains?,
            mail: match raw.email_verified {
                None | Some(RawEmailVerified::Required) => MailVerification::Required,
                Some(RawEmailVerified::Assumed) => MailVerification::Assumed,
            },
            groups_claim: groups_claim?.pop().unwrap_or_else(|| "groups".to_owned()),
            groups: groups?,
            claims: claims?,
            ..ProviderSettings::new(issuer?, client?)
        })
    }

    fn provider_issuer(&mut self, path: &KeyPath, text: &str) -> Option<IssuerUrl> {
        let error = match IssuerUrl::parse(text) {
            Ok(issuer) => return Some(issuer),
            Err(error) => error,
        };
        let shown = self.findings.places.quote(path, text);
        let mend = match error {
            IssuerUrlError::NotAUrl | IssuerUrlError::MoreThanAPath => {
                "write the URL that the provider's metadata has as `issuer`, letter by letter: \"https://login.example.com\""
            }
            IssuerUrlError::NotHttps => "write https://: whoever can change its answers on the way gets in as anybody",
        };
        self.findings.fault(path, format!("{shown} {error}"), mend);
        None
    }

    fn provider_client(
        &mut self,
        path: &KeyPath,
        id: Option<String>,
        secret: Option<String>,
    ) -> Option<ClientCredentials> {
        let mut is_there = |key: &str, text: &str| {
            let there = !text.trim().is_empty();
            if !there {
                self.findings.fault(
                    &path.key(key),
                    "is empty",
                    "write what the provider gave you when you registered Bridgehead there",
                );
            }
            there
        };
        let secret_is_there = secret.as_deref().is_none_or(|secret| is_there("client_secret", secret));
        let id = id.filter(|id| is_there("client_id", id))?;
        secret_is_there.then(|| ClientCredentials { id, secret: secret.map(Secret::new) })
    }

    /// Domains, in lower case.
    fn mail_domains(&mut self, path: &KeyPath, raw: Option<Vec<String>>) -> Option<Vec<String>> {
        let Some(domains) = raw else { return Some(Vec::new()) };
        if domains.is_empty() {
            self.findings.fault(
                path,
                "names no domain, so that nobody would get in",
                "write [\"example.com\"], or leave it out to let in every mail address of the provider",
            );
            return None;
        }
        let mut one = |(index, text): (usize, &String)| {
            let good = MailAddress::parse(&format!("a@{text}")).is_ok() && text.trim() == text;
            if !good {
                let path = path.index(index);
                let shown = self.findings.places.quote(&path, text);
                self.findings.fault(
                    &path,
                    format!("{shown} is not a domain"),
                    "write what stands behind the @ of the mail addresses, each domain by itself: \"example.com\"",
                );
            }
            good.then(|| text.to_ascii_lowercase())
        };
        domains.iter().enumerate().map(&mut one).collect::<Vec<_>>().into_iter().collect()
    }

    fn groups(&mut self, path: &KeyPath, raw: Option<Table<Vec<String>>>) -> Option<BTreeMap<String, ScopeSet>> {
        let Some(Table(groups)) = raw else { return Some(BTreeMap::new()) };
        if groups.is_empty() {
            self.findings.fault(
                path,
                "names no group, so that nobody would get in",
                "write groups = { staff = [\"tools:read\"] }, or leave it out to let everybody read and write",
            );
            return None;
        }
        let mut all = Some(BTreeMap::new());
        for (group, scopes) in groups {
            match (self.group(&path.key(&group), scopes), &mut all) {
                (Some(scopes), Some(all)) => drop(all.insert(group, scopes)),
                (None, _) => all = None,
                (Some(_), None) => {}
            }
        }
        all
    }

    /// What the members of a group may do.
    fn group(&mut self, path: &KeyPath, texts: Vec<String>) -> Option<ScopeSet> {
        let mut scopes = ScopeSet::default();
        let mut good = !texts.is_empty();
        if !good {
            self.findings.fault(
                path,
                "names no scope, so that its members could do nothing",
                "write [\"tools:read\"] or [\"tools:read\", \"tools:write\"], or leave the group out",
            );
        }
        for (index, text) in texts.iter().enumerate() {
            if text.contains(char::is_whitespace) || scopes.insert(text).is_err() {
                good = false;
                let path = path.index(index);
                let shown = self.findings.places.quote(&path, text);
                self.findings.fault(
                    &path,
                    format!("{shown} is not a scope"),
                    "write one word in each, for example [\"tools:read\", \"tools:write\"]",
                );
            }
        }
        good.then_some(scopes)
    }

    /// Texts without blanks.
    fn words(&mut self, path: &KeyPath, raw: Option<Vec<String>>, example: &str) -> Option<Vec<String>> {
        let texts = raw.unwrap_or_default();
        let no_word = |text: &String| {
            text.is_empty() || text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        };
        let Some(text) = texts.iter().find(|text| no_word(text)) else { return Some(texts) };
        let shown = self.findings.places.quote(path, text);
        self.findings.fault(path, format!("{shown} is not one word"), format!("write {example}, or leave it out"));
        None
    }
}

const fn word(prompt: RawPrompt) -> &'static str {
    match prompt {
        RawPrompt::Login => "login",
        RawPrompt::Consent => "consent",
        RawPrompt::SelectAccount => "select_account",
    }
}
