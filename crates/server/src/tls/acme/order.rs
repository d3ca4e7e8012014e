//! One order, from the account to the certificate (RFC 8555 §7.3, §7.4).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_auth::{CertificateRecord, ChallengeKind, ChallengeRecord, keys::to_microsecond};
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, ExternalAccountKey, Identifier, NewAccount, NewOrder, Order,
    OrderStatus,
};
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{
    Acme,
    failure::{Failure, is_bad_nonce},
    http::Http,
    key_purpose,
};
use crate::tls::validity;

/// How long an authority may take over an order.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LAST_LOOK: Duration = Duration::from_secs(10);
/// How long challenges stay open that nobody closes, as the process died.
const CHALLENGE_OPEN: SignedDuration = SignedDuration::from_hours(1);

/// How often a request is made again that was refused for its nonce alone. instant-acme does so
/// twice by itself, which is not enough where an authority restarts, or has several machines.
const NONCE_RETRIES: usize = 5;

/// Makes a request again that was refused for its nonce (RFC 8555 §6.5): nothing was done then.
macro_rules! with_a_good_nonce {
    ($request:expr) => {{
        let mut left = NONCE_RETRIES;
        loop {
            match $request.await {
                Err(error) if is_bad_nonce(&error) && left > 0 => left -= 1,
                answer => break answer.map_err(Failure::from),
            }
        }
    }};
}

impl Acme {
    /// Orders a certificate and waits until it is there.
    pub(super) async fn obtain(&self) -> Result<CertificateRecord, Failure> {
        let names: Vec<_> = self.settings.names.iter().cloned().map(Identifier::Dns).collect();
        let new_order = NewOrder::new(&names);
        let order = match self.kept_account().await? {
            Some(account) => with_a_good_nonce!(account.new_order(&new_order)),
            None => {
                let account = self.new_account().await?;
                with_a_good_nonce!(account.new_order(&new_order))
            }
        };
        let order = match order {
            Err(failure) if failure.is_unknown_account() => {
                tracing::warn!("{} does not know the account any more: a new one is made", self.authority());
                let account = self.new_account().await?;
                with_a_good_nonce!(account.new_order(&new_order))
            }
            order => order,
        };
        let mut order = order?;
        tracing::info!(names = self.names(), order = order.url(), "a certificate is ordered from {}", self.authority());
        let mut opened = Vec::new();
        let proven = self.prove(&mut order, &mut opened).await;
        for key in opened {
            self.parts.store.close_challenge(self.settings.challenge, &key).await?;
        }
        proven?;
        self.finalize(&mut order).await
    }

    /// The account that the store has, if it can be read.
    async fn kept_account(&self) -> Result<Option<Account>, Failure> {
        let name = self.account_name();
        let Some(sealed) = self.parts.store.acme_account(&name).await? else { return Ok(None) };
        let opened = self.parts.vault.open(&account_purpose(&name), &sealed).map_err(|why| why.to_string());
        match opened.and_then(|text| serde_json::from_slice(&text).map_err(|why| why.to_string())) {
            Ok(credentials) => {
                let builder = Account::builder_with_http(Box::new(Http(self.parts.client.clone())));
                Ok(Some(builder.from_credentials(credentials).await?))
            }
            Err(why) => {
                tracing::warn!("the ACME account in the store cannot be used: {why}. A new one is made");
                Ok(None)
            }
        }
    }

    async fn new_account(&self) -> Result<Account, Failure> {
        let contact = format!("mailto:{}", self.settings.email);
        let new = NewAccount { contact: &[&contact], terms_of_service_agreed: true, only_return_existing: false };
        let bound_to = match &self.settings.external_account {
            Some((id, key)) => {
                let key = URL_SAFE_NO_PAD.decode(key.expose().trim_end_matches('='));
                Some(ExternalAccountKey::new(id.clone(), &key.map_err(|_| Failure::ExternalAccount)?))
            }
            None => None,
        };
        let (account, credentials) = with_a_good_nonce!({
            let builder = Account::builder_with_http(Box::new(Http(self.parts.client.clone())));
            builder.create(&new, self.settings.directory.as_str().to_owned(), bound_to.as_ref())
        })?;
        let name = self.account_name();
        let text = serde_json::to_vec(&credentials).map_err(|error| Failure::Own(error.to_string()))?;
        let sealed = self.parts.vault.seal(&account_purpose(&name), &text, &*self.parts.randomness);
        self.parts.store.keep_acme_account(&name, &sealed).await?;
        tracing::info!(account = account.id(), "an account was made at {}", self.authority());
        Ok(account)
    }

    /// Another directory, address or binding is another account.
    fn account_name(&self) -> String {
        let bound_to = self.settings.external_account.as_ref().map_or("", |(id, _)| id);
        format!("{} {} {bound_to}", self.settings.directory, self.settings.email)
    }

    /// Shows the authority that the names are ours; `opened` gets the challenges to be closed again.
    async fn prove(&self, order: &mut Order, opened: &mut Vec<String>) -> Result<(), Failure> {
        let kind = self.settings.challenge;
        let wanted = match kind {
            ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
            ChallengeKind::Http01 => ChallengeType::Http01,
        };
        let mut left = NONCE_RETRIES;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = match authorization {
                // From the beginning: what was read already is not asked for again.
                Err(error) if is_bad_nonce(&error) && left > 0 => {
                    left -= 1;
                    authorizations = order.authorizations();
                    continue;
                }
                authorization => authorization?,
            };
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let Some(mut challenge) = authorization.challenge(wanted.clone()) else {
                return Err(Failure::NotOffered { name, kind });
            };
            let key = match kind {
                ChallengeKind::TlsAlpn01 => name,
                ChallengeKind::Http01 => challenge.token.clone(),
            };
            if opened.contains(&key) {
                continue;
            }
            let now = self.parts.clock.now();
            let expires_at = now.checked_add(CHALLENGE_OPEN).unwrap_or(Timestamp::MAX);
            let answer = challenge.key_authorization().as_str().to_owned();
            let record = ChallengeRecord { kind, key: key.clone(), answer, expires_at };
            self.parts.store.open_challenge(&record, now).await?;
            opened.push(key);
            with_a_good_nonce!(challenge.set_ready())?;
        }
        self.wait_while(order, |status| matches!(status, OrderStatus::Pending)).await
    }

    async fn finalize(&self, order: &mut Order) -> Result<CertificateRecord, Failure> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(self.settings.names.clone())?;
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key)?;
        with_a_good_nonce!(order.finalize_csr(request.der()))?;
        self.wait_while(order, |status| !matches!(status, OrderStatus::Valid)).await?;
        let chain = with_a_good_nonce!(order.certificate())?.ok_or(Failure::TimedOut)?;
        let leaf = CertificateDer::pem_slice_iter(chain.as_bytes()).next().and_then(Result::ok);
        let (not_before, not_after) = leaf
            .and_then(|leaf| validity(&leaf))
            .ok_or_else(|| Failure::Nonsense("its certificate cannot be read".to_owned()))?;
        let purpose = key_purpose(&self.id);
        Ok(CertificateRecord {
            id: self.id.clone(),
            chain,
            key: self.parts.vault.seal(&purpose, &key.serialize_der(), &*self.parts.randomness),
            not_before,
            not_after,
            // As the store keeps it, by which it is known again.
            obtained_at: to_microsecond(self.parts.clock.now()),
        })
    }

    /// Looks at the order until it has another state. By the injected clock, and so not with what
    /// instant-acme has for it.
    async fn wait_while(&self, order: &mut Order, stays: impl Fn(OrderStatus) -> bool) -> Result<(), Failure> {
        let give_up = self.parts.clock.now().checked_add(PATIENCE).unwrap_or(Timestamp::MAX);
        let mut wait = FIRST_LOOK;
        loop {
            let status = order.state().status;
            if status == OrderStatus::Invalid {
                return Err(self.why_invalid(order).await);
            }
            if !stays(status) {
                return Ok(());
            }
            if self.parts.clock.now() >= give_up {
                return Err(Failure::TimedOut);
            }
            self.parts.clock.sleep(wait).await;
            wait = (wait * 2).min(LAST_LOOK);
            with_a_good_nonce!(async { order.refresh().await.map(drop) })?;
        }
    }

    /// The reason stands at the challenge that failed (RFC 8555 §8), or at the order.
    async fn why_invalid(&self, order: &mut Order) -> Failure {
        let kind = self.settings.challenge;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let Ok(mut authorization) = authorization else { continue };
            if with_a_good_nonce!(async { authorization.refresh().await.map(drop) }).is_err() {
                continue;
            }
            if let Some(problem) = authorization.challenges.iter().find_map(|challenge| challenge.error.clone()) {
                let name = authorization.identifier().to_string();
                return Failure::Challenge { name, kind, problem: Box::new(problem) };
            }
        }
        match order.state().error.clone() {
            Some(problem) => Failure::Refused(Box::new(problem)),
            None => Failure::Nonsense("the order failed without a reason".to_owned()),
        }
    }
}

/// What the credentials of an account are sealed as.
fn account_purpose(name: &str) -> String {
    format!("acme account/{name}")
}
