//! Who gets in: from what a provider says of a person to who they are here and what they may do, or
//! why not.

use bridgehead_core::{Claims, ScopeSet};
use serde_json::{Map, Value};

use super::{MailVerification, ProviderSettings};
use crate::MailAddress;

/// Why somebody whom the provider knows does not get in here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The provider gives no mail address, or none that can be somebody's.
    #[error("the provider gives no mail address of this account")]
    NoMail,
    /// It does not say that the address is theirs.
    #[error("the provider has not verified the mail address of this account")]
    MailNotVerified {
        /// The address.
        address: MailAddress,
    },
    /// The address is of another domain.
    #[error("the mail address is of a domain that is not let in")]
    Domain {
        /// The address.
        address: MailAddress,
    },
    /// They are in none of the groups.
    #[error("the account is in no group that is let in")]
    Group {
        /// The address.
        address: MailAddress,
    },
}

impl NotAdmitted {
    /// A stable word for logs and traces.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoMail => "no_mail",
            Self::MailNotVerified { .. } => "mail_not_verified",
            Self::Domain { .. } => "other_domain",
            Self::Group { .. } => "no_group",
        }
    }
}

/// A person who gets in.
pub(super) struct Admitted {
    pub(super) address: MailAddress,
    pub(super) name: Option<String>,
    pub(super) scopes: ScopeSet,
    pub(super) claims: Claims,
}

impl ProviderSettings {
    /// Whether the user info has to be asked as well, since claims that count are missing.
    pub(super) fn lacks(&self, claims: &Map<String, Value>) -> bool {
        let mut needed = vec!["email"];
        if self.mail == MailVerification::Required {
            needed.push("email_verified");
        }
        if !self.groups.is_empty() {
            needed.push(&self.groups_claim);
        }
        needed.into_iter().chain(self.claims.iter().map(String::as_str)).any(|name| !claims.contains_key(name))
    }

    /// Who it is, and what they may do.
    pub(super) fn admit(&self, claims: &Map<String, Value>) -> Result<Admitted, NotAdmitted> {
        let address = claims.get("email").and_then(Value::as_str).and_then(|text| MailAddress::parse(text).ok());
        let address = address.ok_or(NotAdmitted::NoMail)?;
        let verified = match claims.get("email_verified") {
            // Some write it as a text.
            Some(said) => *said == Value::Bool(true) || said.as_str() == Some("true"),
            None => self.mail == MailVerification::Assumed,
        };
        if !verified {
            return Err(NotAdmitted::MailNotVerified { address });
        }
        let domain = address.as_str().rsplit('@').next().unwrap_or_default();
        if !self.domains.is_empty() && !self.domains.iter().any(|allowed| allowed == domain) {
            return Err(NotAdmitted::Domain { address });
        }
        let Some(scopes) = self.scopes_of(claims) else { return Err(NotAdmitted::Group { address }) };
        let name = claims.get("name").and_then(Value::as_str);
        let name = name.and_then(|name| crate::keys::printable(name, 255)).map(str::to_owned);
        Ok(Admitted { address, name, scopes, claims: self.kept(claims) })
    }

    /// The scopes of all groups that somebody is in; `None` where they are in none that counts.
    fn scopes_of(&self, claims: &Map<String, Value>) -> Option<ScopeSet> {
        if self.groups.is_empty() {
            return Some(ScopeSet::read_and_write());
        }
        let groups: Vec<&str> = match claims.get(&self.groups_claim) {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(group)) => vec![group],
            _ => Vec::new(),
        };
        let mut scopes = ScopeSet::default();
        for scope in groups.into_iter().filter_map(|group| self.groups.get(group)).flat_map(ScopeSet::iter) {
            // It was one in the settings.
            let _ = scopes.insert(scope);
        }
        (!scopes.is_empty()).then_some(scopes)
    }

    fn kept(&self, claims: &Map<String, Value>) -> Claims {
        let usual = ["iss", "sub", "name", "email", self.groups_claim.as_str()];
        let names = usual.into_iter().chain(self.claims.iter().map(String::as_str));
        Claims::new(names.filter_map(|name| Some((name.to_owned(), claims.get(name)?.clone()))).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::remote::{ClientCredentials, IssuerUrl};

    fn settings() -> ProviderSettings {
        let scopes = |text| ScopeSet::parse(text).unwrap();
        let issuer = IssuerUrl::parse("https://login.example.com").unwrap();
        let client = ClientCredentials { id: "bh".to_owned(), secret: None };
        let usual = ProviderSettings::new(issuer, client);
        ProviderSettings {
            domains: vec!["example.com".to_owned(), "example.org".to_owned()],
            groups: [
                ("staff".to_owned(), scopes("tools:read")),
                ("buyers".to_owned(), scopes("tools:read tools:write")),
                ("crm".to_owned(), scopes("crm:admin")),
            ]
            .into(),
            claims: vec!["tenant".to_owned()],
            ..usual
        }
    }

    fn admitted(settings: &ProviderSettings, claims: Value) -> Result<String, &'static str> {
        let admitted = settings.admit(claims.as_object().unwrap()).map_err(|error| error.code())?;
        Ok(format!("{} may {}", admitted.address, admitted.scopes))
    }

    /// A7: domains and groups, and what comes of each.
    #[test]
    fn who_gets_in_and_what_they_may() {
        let rows = [
            (json!(["staff"]), Ok("alice@example.com may tools:read")),
            (json!(["staff", "buyers", "chess"]), Ok("alice@example.com may tools:read tools:write")),
            (json!(["crm", "staff"]), Ok("alice@example.com may crm:admin tools:read")),
            (json!("staff"), Ok("alice@example.com may tools:read")),
            (json!(["Staff", "staf", "staff "]), Err("no_group")),
            (json!([]), Err("no_group")),
            (json!("staff buyers"), Err("no_group")),
            (json!({"staff": true}), Err("no_group")),
            (json!([["staff"], 1, null]), Err("no_group")),
            (Value::Null, Err("no_group")),
        ];
        for (groups, expected) in rows {
            let claims = json!({"email": "Alice@Example.com", "email_verified": true, "groups": groups});
            assert_eq!(admitted(&settings(), claims), expected.map(str::to_owned), "{groups}");
        }
        let open = ProviderSettings { groups: [].into(), domains: vec![], ..settings() };
        let claims = json!({"email": "bob@elsewhere.example", "email_verified": true});
        assert_eq!(admitted(&open, claims), Ok("bob@elsewhere.example may tools:read tools:write".to_owned()));
    }

    #[test]
    fn a_mail_address_has_to_be_of_a_domain_and_verified() {
        let assumed = ProviderSettings { mail: MailVerification::Assumed, ..settings() };
        let rows = [
            (json!("a@example.com"), json!(true), None, None),
            (json!("a@example.org"), json!("true"), None, None),
            (json!("a@example.com"), json!(false), Some("mail_not_verified"), Some("mail_not_verified")),
            (json!("a@example.com"), json!("yes"), Some("mail_not_verified"), Some("mail_not_verified")),
            (json!("a@example.com"), json!(null), Some("mail_not_verified"), Some("mail_not_verified")),
            (json!("a@example.com"), json!("absent"), Some("mail_not_verified"), None),
            (json!("a@sub.example.com"), json!(true), Some("other_domain"), Some("other_domain")),
            (json!("a@notexample.com"), json!(true), Some("other_domain"), Some("other_domain")),
            (json!("a@example.com.evil.example"), json!(true), Some("other_domain"), Some("other_domain")),
            (json!("a@evil.example@example.com"), json!(true), Some("no_mail"), Some("no_mail")),
            (json!("a@exаmple.com"), json!(true), Some("no_mail"), Some("no_mail")),
            (json!(7), json!(true), Some("no_mail"), Some("no_mail")),
            (json!(null), json!(true), Some("no_mail"), Some("no_mail")),
        ];
        for (mail, verified, required, assumed_too) in rows {
            let mut claims = json!({"email": mail, "email_verified": verified, "groups": ["staff"]});
            if verified == "absent" {
                claims.as_object_mut().unwrap().remove("email_verified");
            }
            assert_eq!(admitted(&settings(), claims.clone()).err(), required, "{claims}");
            assert_eq!(admitted(&assumed, claims.clone()).err(), assumed_too, "{claims}");
        }
    }

    #[test]
    fn what_is_named_is_kept_and_nothing_else() {
        let claims = json!({
            "iss": "https://login.example.com", "sub": "1", "name": "Alice", "email": "a@example.com", "email_verified": true,
            "groups": ["staff", "chess"], "tenant": {"id": 7}, "address": "Elm Street", "nonce": "n",
        });
        let kept = settings().admit(claims.as_object().unwrap()).ok().unwrap().claims;
        let names: BTreeSet<_> = kept.as_map().keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["email", "groups", "iss", "name", "sub", "tenant"]));
        assert!(!settings().lacks(claims.as_object().unwrap()));
        for name in ["email", "email_verified", "groups", "tenant"] {
            let mut less = claims.as_object().unwrap().clone();
            less.remove(name);
            assert!(settings().lacks(&less), "{name}");
        }
    }
}
