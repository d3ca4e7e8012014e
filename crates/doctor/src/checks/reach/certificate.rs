//! TLS, and the certificate as a platform judges it: by the authorities that are public, not by those that
//! this machine happens to trust.

use std::net::IpAddr;

use bridgehead_outbound::{
    Trust,
    look::{self, CertificateProblem, NoTls, TlsSeen},
};
use jiff::SignedDuration;
use url::Url;

use super::PATIENCE;
use crate::{Area, Check, visit::Visit};

/// Long enough for somebody to notice. Of a certificate that is short by design, the last quarter.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// TLS at all.
pub(super) const TLS_HANDSHAKE: Check = Check {
    id: "tls-handshake",
    area: Area::Reach,
    title: "TLS is spoken at the port",
    why: "Nothing can be sent before the handshake is finished.",
    standard: "RFC 8446 §4",
    mend: "Look which program listens at this port: one that speaks plain HTTP needs a proxy with TLS in front. A \
           connection closed during the handshake is often a proxy that has no certificate for this name yet.",
};

/// A version of this decade.
pub(super) const TLS_VERSION: Check = Check {
    id: "tls-version",
    area: Area::Reach,
    title: "TLS 1.2 or 1.3 is spoken",
    why: "Clients end a connection where only older versions, or none of their cipher suites, are offered.",
    standard: "RFC 8996 §4, §5, RFC 9325 §3.1.1",
    mend: "Switch TLS 1.2 and 1.3 on in the proxy, with its default cipher suites, or update it.",
};

/// For this name.
pub(super) const TLS_NAME: Check = Check {
    id: "tls-name",
    area: Area::Reach,
    title: "The certificate is for the name",
    why: "A client that asks for one name and is shown a certificate for another one ends the connection.",
    standard: "RFC 9525 §6",
    mend: "Get a certificate with this very name among its subject alternative names. A wildcard covers one label \
           alone. Where one address serves several names, look how the proxy chooses (SNI).",
};

/// Now.
pub(super) const TLS_VALIDITY: Check = Check {
    id: "tls-validity",
    area: Area::Reach,
    title: "The certificate holds today",
    why: "Every client ends the connection on a certificate that is over, or has not begun.",
    standard: "RFC 5280 §4.1.2.5",
    mend: "Renew the certificate, restart or reload what serves it, and find out why it was not renewed by itself. For \
           one that has not begun, look at the clock of the machine that made it.",
};

/// With what is between.
pub(super) const TLS_CHAIN: Check = Check {
    id: "tls-chain",
    area: Area::Reach,
    title: "The certificate chain is complete",
    why: "Browsers fetch a missing intermediate certificate, or remember it; platforms do not, and end the \
          connection. It is the fault that \"works in my browser\".",
    standard: "RFC 8446 §4.4.2",
    mend: "Serve the whole chain: the file that certificate tools name fullchain, with the server's own certificate \
           first and those of the intermediate authorities behind it.",
};

/// By everybody.
pub(super) const TLS_TRUST: Check = Check {
    id: "tls-trust",
    area: Area::Reach,
    title: "The certificate is signed by a public authority",
    why: "A platform trusts public authorities alone. One that signs itself, or is signed by a company's own \
          authority, is refused there, also where every machine of the company takes it.",
    standard: "RFC 5280 §6.1",
    mend: "Get a certificate of a public authority, such as Let's Encrypt, for the public name; it is free and needs \
           no more than a DNS record or port 80.",
};

/// And for a while.
pub(super) const TLS_EXPIRES_SOON: Check = Check {
    id: "tls-expires-soon",
    area: Area::Reach,
    title: "The certificate does not end soon",
    why: "Whatever renews certificates has done so by now, if it works. If not, every connection fails at once on the \
          day it is over.",
    standard: "RFC 5280 §4.1.2.5",
    mend: "Look at the log of what renews it, and at whether the renewed certificate was loaded.",
};

const CERTIFICATE: [&Check; 4] = [&TLS_NAME, &TLS_VALIDITY, &TLS_CHAIN, &TLS_TRUST];

/// Looks; `None` where no request can follow.
pub(super) async fn examine(visit: &mut Visit<'_>, url: &Url, address: IpAddr) -> Option<()> {
    if url.scheme() != "https" {
        for check in [&TLS_HANDSHAKE, &TLS_VERSION, &TLS_EXPIRES_SOON].into_iter().chain(CERTIFICATE) {
            visit.skipped(check, "the URL begins with http, so that there is no TLS");
        }
        return Some(());
    }
    let net = visit.surroundings().net.clone();
    let trust = if visit.target().profile.from_the_internet() { Trust::Public } else { Trust::System };
    let seen = match look::tls(&net, url, address, trust, PATIENCE).await {
        Ok(seen) => seen,
        Err(NoTls::Version) => {
            visit.passed(&TLS_HANDSHAKE, None);
            visit.failed(
                &TLS_VERSION,
                "No version of TLS that is still in use is spoken, or no usual cipher suite.",
                [],
            );
            return None;
        }
        Err(error) => {
            visit.failed(&TLS_HANDSHAKE, format!("With {address}: {error}."), []);
            return None;
        }
    };
    visit.passed(&TLS_HANDSHAKE, None);
    visit.passed(&TLS_VERSION, seen.version.to_owned());
    judge(visit, url, &seen);
    if seen.problem.is_none() {
        return Some(());
    }
    // Where this machine trusts what the public does not, the rest can be looked at all the same.
    let by_us = look::tls(&net, url, address, Trust::System, PATIENCE).await;
    by_us.is_ok_and(|by_us| by_us.problem.is_none()).then_some(())
}

fn judge(visit: &mut Visit<'_>, url: &Url, seen: &TlsSeen) {
    let Some(problem) = &seen.problem else {
        for check in CERTIFICATE {
            visit.passed(check, None);
        }
        judge_end(visit, seen);
        return;
    };
    let certificate = seen.certificate.as_ref();
    let issuer = certificate.map_or("somebody", |certificate| certificate.issuer.as_str());
    let (check, said) = match problem {
        CertificateProblem::Expired => {
            let end = certificate.map(|certificate| format!(" on {}", certificate.not_after)).unwrap_or_default();
            (&TLS_VALIDITY, format!("The certificate, or one above it, is over: the server's own ended{end}."))
        }
        CertificateProblem::NotYetValid => {
            let begin = certificate.map(|certificate| certificate.not_before.to_string()).unwrap_or_default();
            (&TLS_VALIDITY, format!("The certificate holds only from {begin} on."))
        }
        CertificateProblem::Name => {
            let names = certificate.map(|certificate| certificate.names.join(", ")).unwrap_or_default();
            let names = if names.is_empty() { "no name".to_owned() } else { names };
            let host = url.host_str().unwrap_or_default();
            (&TLS_NAME, format!("The certificate is for {names}, and not for {host}."))
        }
        CertificateProblem::SelfSigned => (&TLS_TRUST, "The certificate is signed by itself.".to_owned()),
        CertificateProblem::UnknownAuthority if seen.sent == 1 => {
            let said = format!(
                "The certificate is sent alone, and \"{issuer}\", which signed it, is not an authority that is trusted \
                 by itself: the intermediate certificate is missing."
            );
            (&TLS_CHAIN, said)
        }
        CertificateProblem::UnknownAuthority => {
            let said = format!(
                "The chain ({} certificates, \"{issuer}\" first above) ends at no public authority.",
                seen.sent
            );
            (&TLS_TRUST, said)
        }
        CertificateProblem::Other(why) => (&TLS_TRUST, format!("Clients refuse the certificate: {why}.")),
    };
    visit.failed(check, said, []);
}

fn judge_end(visit: &mut Visit<'_>, seen: &TlsSeen) {
    let Some(certificate) = &seen.certificate else {
        visit.skipped(&TLS_EXPIRES_SOON, "the certificate cannot be read");
        return;
    };
    let left = certificate.not_after.duration_since(visit.surroundings().clock.now());
    let days = left.as_hours() / 24;
    let whole = certificate.not_after.duration_since(certificate.not_before);
    if left < SOON.min(whole / 4) {
        visit.warning(
            &TLS_EXPIRES_SOON,
            format!("The certificate ends on {}, in {days} days.", certificate.not_after),
            [],
        );
    } else {
        visit.passed(&TLS_EXPIRES_SOON, format!("{days} more days"));
    }
}
