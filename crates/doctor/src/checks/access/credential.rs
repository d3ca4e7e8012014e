//! Keys and header values, where a server asks for those and they were given to the doctor.

use bridgehead_core::Secret;
use http::{HeaderName, StatusCode, header};
use url::Url;

use super::{
    bearer,
    challenge::Anonymous,
    endpoint::{self, Credential, Question, Reply},
};
use crate::{Area, Check, visit::Visit};

/// The right one.
pub(super) const CREDENTIAL_ACCEPTED: Check = Check {
    id: "credential-accepted",
    area: Area::Access,
    title: "The credential that was given is taken",
    why: "What a teammate enters in the platform is what is sent here. If it is refused, nothing works.",
    standard: "RFC 9110 §11.6.2",
    mend: "Look whether the key is whole and still good, in the right header, and with the word Bearer before it where \
           that is asked for and nowhere else.",
};

/// Not another one.
pub(super) const CREDENTIAL_WRONG: Check = Check {
    id: "credential-wrong",
    area: Area::Access,
    title: "A wrong credential is refused with 401",
    why: "If it is let in, the key protects nothing. If it is refused in another way, the teammate is not told to \
          enter it again.",
    standard: "RFC 9110 §15.5.2, §11.6.2",
    mend: "Check every header that is asked for, the whole value, and answer 401 where one is wrong.",
};

/// Not without.
pub(super) const CREDENTIAL_MISSING: Check = Check {
    id: "credential-missing",
    area: Area::Access,
    title: "A call without the credential is refused",
    why: "If it is answered, the key protects nothing.",
    standard: "RFC 9110 §15.5.2",
    mend: "Check the credential for the endpoint as a whole, before anything is looked at.",
};

/// And which.
pub(super) const CREDENTIAL_NAMED: Check = Check {
    id: "credential-named",
    area: Area::Access,
    title: "The refusal says which header is wanted",
    why: "Whoever sets up the connection has nothing else to go by when a key is entered in the wrong place.",
    standard: "RFC 9110 §11.6.1, §15.5.2",
    mend: "Name the header, and the scheme in it, in WWW-Authenticate or in the text of the 401.",
};

/// What the checks of this file come to without a credential.
pub(super) const CHECKS: [&Check; 4] =
    [&CREDENTIAL_ACCEPTED, &CREDENTIAL_WRONG, &CREDENTIAL_MISSING, &CREDENTIAL_NAMED];

/// Looks at the credential that was given; whether it opens the endpoint.
pub(super) async fn examine(visit: &mut Visit<'_>, endpoint: &Url, anonymous: &Anonymous) -> bool {
    let credential = visit.target().headers.clone();
    let reply = endpoint::lets_in(visit, endpoint, &credential).await;
    if !reply.is_answered() {
        let seen = format!("A call with it had {}.", reply.shown());
        visit.failed(&CREDENTIAL_ACCEPTED, seen, [reply.exchange()]);
        for check in &CHECKS[1..] {
            visit.skipped(check, "the credential that was given is refused");
        }
        return false;
    }
    visit.passed(&CREDENTIAL_ACCEPTED, None);
    if anonymous.is_let_in() {
        let seen = "A call without the credential was answered as one with it.";
        visit.failed(&CREDENTIAL_MISSING, seen, [anonymous.exchange()]);
        for check in [&CREDENTIAL_WRONG, &CREDENTIAL_NAMED] {
            visit.skipped(check, "nobody needs a credential");
        }
        return true;
    }
    visit.passed(&CREDENTIAL_MISSING, None);
    judge_wrong(visit, endpoint, &credential).await;
    judge_named(visit, anonymous, &credential);
    bearer::judge_scheme_case(visit, endpoint, &credential).await;
    true
}

/// One header at a time, each with another value of the same form.
async fn judge_wrong(visit: &mut Visit<'_>, endpoint: &Url, credential: &Credential) {
    for (name, value) in credential {
        let mut wrong = credential.clone();
        wrong.retain(|(other, _)| other != name);
        let other = another(value.expose());
        // A value of signs alone has no other one of its form.
        if other == value.expose() {
            continue;
        }
        let other = Secret::new(other);
        visit.keep_secret(&other);
        wrong.push((name.clone(), other));
        let reply = endpoint::ask(visit, endpoint, Question::Initialize, &wrong).await;
        match &reply {
            Reply::Answered(answer) => {
                let seen = format!("A wrong value in the header {name} was let in.");
                visit.failed(&CREDENTIAL_WRONG, seen, [answer.exchange]);
            }
            Reply::Refused(answer) if answer.received.status == StatusCode::UNAUTHORIZED => {}
            reply => {
                let seen = format!("A wrong value in the header {name} had {}; 401 is expected.", reply.shown());
                visit.warning(&CREDENTIAL_WRONG, seen, [reply.exchange()]);
            }
        }
    }
    visit.passed(&CREDENTIAL_WRONG, None);
}

/// The same, with the letters and digits of its second half turned around.
fn another(value: &str) -> String {
    let half = value.chars().count() / 2;
    let turned = |character: char| match character {
        'a'..='y' | 'A'..='Y' | '0'..='8' => char::from_u32(u32::from(character) + 1).unwrap_or('0'),
        'z' => 'a',
        'Z' => 'A',
        '9' => '0',
        other => other,
    };
    value.chars().enumerate().map(|(index, one)| if index >= half { turned(one) } else { one }).collect()
}

fn judge_named(visit: &mut Visit<'_>, anonymous: &Anonymous, credential: &Credential) {
    let Some(Reply::Refused(answer)) = anonymous.first() else {
        visit.skipped(&CREDENTIAL_NAMED, "there is no refusal");
        return;
    };
    let challenges = answer.received.headers.get_all(header::WWW_AUTHENTICATE).iter();
    let mut text: String = challenges.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    text.push_str(&String::from_utf8_lossy(&answer.received.body));
    let text = text.to_ascii_lowercase();
    let is_named =
        |name: &HeaderName| text.contains(name.as_str()) || *name == header::AUTHORIZATION && text.contains("bearer");
    let missing: Vec<_> =
        credential.iter().map(|(name, _)| name).filter(|name| !is_named(name)).map(HeaderName::as_str).collect();
    if missing.is_empty() {
        visit.passed(&CREDENTIAL_NAMED, None);
    } else {
        let seen = format!("Neither WWW-Authenticate nor the text names {}.", missing.join(", "));
        visit.warning(&CREDENTIAL_NAMED, seen, [answer.exchange]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_value_has_the_same_form() {
        assert_eq!(another("Bearer bhk_abz09Z"), "Bearer bil_bca10A");
        assert_eq!(another(""), "");
        assert_ne!(another("ab"), "ab");
    }
}
