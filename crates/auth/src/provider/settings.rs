//! How an identity provider is set up, and who of it gets in.

use std::collections::BTreeMap;

use bridgehead_core::ScopeSet;

use crate::remote::{ClientCredentials, IssuerUrl};

/// How a provider is set up. `Debug` does not show the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Its issuer, exactly as it writes it itself.
    pub issuer: IssuerUrl,
    /// Who Bridgehead is to it.
    pub client: ClientCredentials,
    /// What is asked for beside `openid`, `email`, `profile`, and `offline_access` where it is known there.
    pub scopes: Vec<String>,
    /// `prompt` of the authorization request (OpenID Connect Core §3.1.2.1), where there is to be one.
    pub prompt: Option<String>,
    /// Mail addresses of these domains alone, in lower case; of any where there are none.
    pub domains: Vec<String>,
    /// Whether the provider has to say that it knows a mail address to be theirs.
    pub mail: MailVerification,
    /// The claim that has the groups.
    pub groups_claim: String,
    /// What the members of a group may do; where there are none, everybody may read and write.
    pub groups: BTreeMap<String, ScopeSet>,
    /// Claims that are kept beside the name, the mail address and the groups.
    pub claims: Vec<String>,
}

/// What is made of a provider that does not say whether a mail address is verified. That it is not
/// verified is a refusal in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailVerification {
    /// Refused.
    #[default]
    Required,
    /// Taken: the operator knows that people cannot choose the address themselves.
    Assumed,
}

impl ProviderSettings {
    /// A provider with its usual settings.
    #[must_use]
    pub fn new(issuer: IssuerUrl, client: ClientCredentials) -> Self {
        Self {
            issuer,
            client,
            scopes: Vec::new(),
            prompt: None,
            domains: Vec::new(),
            mail: MailVerification::default(),
            groups_claim: "groups".to_owned(),
            groups: BTreeMap::new(),
            claims: Vec::new(),
        }
    }

    /// The host, as a person may know it.
    #[must_use]
    pub fn host(&self) -> String {
        self.issuer.host()
    }
}
