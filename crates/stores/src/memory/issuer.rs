//! Clients, codes, grants and access tokens in memory, all behind one lock, so that every verb is
//! seen whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bridgehead_auth::{
    Insertion, KeyHash, Revocation, StoreError,
    issuer::{
        AccessRecord, Admission, ClientId, ClientKind, ClientRecord, CodeRecord, GrantId, GrantRecord, GrantsOf,
        IssuerStore, Redemption, Revoked, RevokedBecause, Room, Rotated, Rotation, Stale, Swept,
    },
    keys::to_microsecond,
};
use jiff::Timestamp;

use super::Memory;

#[derive(Debug, Default)]
pub(super) struct Tables {
    clients: BTreeMap<ClientId, ClientRecord>,
    codes: BTreeMap<Arc<str>, CodeRecord>,
    grants: BTreeMap<GrantId, GrantRecord>,
    access: BTreeMap<Arc<str>, AccessRecord>,
    assertions: BTreeMap<[u8; 32], Timestamp>,
}

impl Tables {
    /// Clients that introduced themselves and that nobody uses. Who is shut out stays, or its document
    /// would be fetched anew and let in.
    fn unused(&self, now: Timestamp) -> impl Iterator<Item = &ClientRecord> {
        let live = move |grant: &GrantRecord| grant.is_live(now);
        let open = move |code: &CodeRecord| code.redeemed_for.is_none() && code.expires_at > now;
        let mut used: BTreeSet<_> =
            self.grants.values().filter(|grant| live(grant)).map(|grant| grant.client.clone()).collect();
        used.extend(self.codes.values().filter(|code| open(code)).map(|code| code.client.clone()));
        let shut_out = |client: &ClientRecord| client.kind == ClientKind::Document && client.revoked_at.is_some();
        let introduced = self.clients.values().filter(|client| client.kind != ClientKind::PreRegistered);
        introduced.filter(move |client| !used.contains(&client.id) && !shut_out(client))
    }

    fn end_grants_of(&mut self, id: &ClientId, at: Timestamp) {
        self.codes.retain(|_, code| code.client != *id || code.redeemed_for.is_some());
        let revoked = Revoked { at: to_microsecond(at), why: RevokedBecause::ClientGone };
        for grant in self.grants.values_mut().filter(|grant| grant.client == *id) {
            grant.revoked.get_or_insert(revoked);
        }
    }
}

impl Memory {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.issuer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client_as_kept(mut client: ClientRecord) -> ClientRecord {
    client.created_at = to_microsecond(client.created_at);
    client.last_seen_at = client.last_seen_at.map(to_microsecond);
    client.revoked_at = client.revoked_at.map(to_microsecond);
    if let Some(copy) = &mut client.document {
        copy.fetched_at = to_microsecond(copy.fetched_at);
        copy.fresh_until = to_microsecond(copy.fresh_until);
    }
    client
}

fn grant_as_kept(mut grant: GrantRecord) -> GrantRecord {
    for at in [&mut grant.created_at, &mut grant.refreshed_at, &mut grant.expires_at, &mut grant.ends_at] {
        *at = to_microsecond(*at);
    }
    grant.revoked = grant.revoked.map(|revoked| Revoked { at: to_microsecond(revoked.at), ..revoked });
    grant
}

fn access_as_kept(mut access: AccessRecord) -> AccessRecord {
    access.created_at = to_microsecond(access.created_at);
    access.expires_at = to_microsecond(access.expires_at);
    access.revoked_at = access.revoked_at.map(to_microsecond);
    access
}

#[async_trait]
impl IssuerStore for Memory {
    async fn admit_client(&self, client: ClientRecord, room: Room) -> Result<Admission, StoreError> {
        let mut tables = self.tables();
        if tables.clients.contains_key(&client.id) {
            return Ok(Admission::IdTaken);
        }
        let of_its_kind = |other: &&ClientRecord| other.kind == client.kind;
        let there = tables.clients.values().filter(of_its_kind).count();
        let surplus = (there + 1).saturating_sub(usize::try_from(room.clients).unwrap_or(usize::MAX));
        if surplus > 0 {
            let closed = |client: &&ClientRecord| client.last_seen_at.is_none_or(|seen| seen < room.open_since);
            let mut unused: Vec<_> = tables
                .unused(room.now)
                .filter(of_its_kind)
                .filter(closed)
                .map(|client| (client.created_at, client.id.clone()))
                .collect();
            unused.sort();
            unused.truncate(surplus);
            if unused.len() < surplus {
                return Ok(Admission::Full);
            }
            for (_, id) in unused {
                tables.clients.remove(&id);
            }
        }
        tables.clients.insert(client.id.clone(), client_as_kept(client));
        Ok(Admission::Admitted)
    }

    async fn insert_client(&self, client: ClientRecord) -> Result<Insertion, StoreError> {
        let mut tables = self.tables();
        if tables.clients.contains_key(&client.id) {
            return Ok(Insertion::IdTaken);
        }
        tables.clients.insert(client.id.clone(), client_as_kept(client));
        Ok(Insertion::Inserted)
    }

    async fn refresh_document(&self, client: &ClientRecord) -> Result<(), StoreError> {
        if let Some(kept) = self.tables().clients.get_mut(&client.id) {
            let newer = client_as_kept(client.clone());
            kept.metadata = newer.metadata;
            kept.document = newer.document;
        }
        Ok(())
    }

    async fn find_client(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        Ok(self.tables().clients.get(id).cloned())
    }

    async fn clients(&self, kind: ClientKind) -> Result<Vec<ClientRecord>, StoreError> {
        let mut clients: Vec<_> =
            self.tables().clients.values().filter(|client| client.kind == kind).cloned().collect();
        // The map is in the order of ids, and sorting keeps the order of equals.
        clients.sort_by_key(|client| client.created_at);
        Ok(clients)
    }

    async fn count_clients(&self, kind: ClientKind) -> Result<u64, StoreError> {
        let count = self.tables().clients.values().filter(|client| client.kind == kind).count();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    async fn see_client(&self, id: &ClientId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(client) = self.tables().clients.get_mut(id) {
            client.last_seen_at = client.last_seen_at.max(Some(to_microsecond(at)));
        }
        Ok(())
    }

    async fn revoke_client(&self, id: &ClientId, at: Timestamp) -> Result<Revocation, StoreError> {
        let mut tables = self.tables();
        match tables.clients.get_mut(id) {
            None => return Ok(Revocation::NotFound),
            Some(client) if client.revoked_at.is_some() => return Ok(Revocation::AlreadyRevoked),
            Some(client) => client.revoked_at = Some(to_microsecond(at)),
        }
        tables.end_grants_of(id, at);
        Ok(Revocation::Revoked)
    }

    async fn remove_client(&self, id: &ClientId, at: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let removed = tables.clients.remove(id).is_some();
        tables.end_grants_of(id, at);
        Ok(removed)
    }

    async fn insert_code(&self, mut code: CodeRecord) -> Result<Insertion, StoreError> {
        code.created_at = to_microsecond(code.created_at);
        code.expires_at = to_microsecond(code.expires_at);
        let mut tables = self.tables();
        if tables.codes.contains_key(&code.id) {
            return Ok(Insertion::IdTaken);
        }
        tables.codes.insert(code.id.clone(), code);
        Ok(Insertion::Inserted)
    }

    async fn find_code(&self, id: &str) -> Result<Option<CodeRecord>, StoreError> {
        Ok(self.tables().codes.get(id).cloned())
    }

    async fn redeem_code(&self, id: &str, grant: GrantRecord, access: AccessRecord) -> Result<Redemption, StoreError> {
        let mut tables = self.tables();
        let taken = tables.grants.contains_key(&grant.id);
        let Some(code) = tables.codes.get_mut(id) else { return Ok(Redemption::Gone) };
        if let Some(grant) = &code.redeemed_for {
            return Ok(Redemption::UsedBefore(grant.clone()));
        }
        if taken {
            return Ok(Redemption::IdTaken);
        }
        code.redeemed_for = Some(grant.id.clone());
        tables.grants.insert(grant.id.clone(), grant_as_kept(grant));
        tables.access.insert(access.id.clone(), access_as_kept(access));
        Ok(Redemption::Redeemed)
    }

    async fn find_grant(&self, id: &GrantId) -> Result<Option<GrantRecord>, StoreError> {
        Ok(self.tables().grants.get(id).cloned())
    }

    async fn grants(&self, of: &GrantsOf) -> Result<Vec<GrantRecord>, StoreError> {
        let meant = |grant: &&GrantRecord| match of {
            GrantsOf::Everybody => true,
            GrantsOf::Subject(subject) => grant.subject == *subject,
            GrantsOf::Client(client) => grant.client == *client,
        };
        let mut grants: Vec<_> = self.tables().grants.values().filter(meant).cloned().collect();
        grants.sort_by_key(|grant| grant.created_at);
        Ok(grants)
    }

    async fn rotate(&self, rotation: Rotation, access: AccessRecord) -> Result<Rotated, StoreError> {
        let mut tables = self.tables();
        let expected = |grant: &&mut GrantRecord| {
            let generation = grant.refresh.as_ref().map(|state| state.generation);
            grant.revoked.is_none() && generation == Some(rotation.from_generation)
        };
        let Some(grant) = tables.grants.get_mut(&rotation.grant).filter(expected) else { return Ok(Rotated::Lost) };
        grant.refresh = Some(rotation.to);
        grant.refreshed_at = to_microsecond(rotation.refreshed_at);
        grant.expires_at = to_microsecond(rotation.expires_at);
        tables.access.insert(access.id.clone(), access_as_kept(access));
        Ok(Rotated::Rotated)
    }

    async fn insert_access(&self, access: AccessRecord, generation: u32) -> Result<Rotated, StoreError> {
        let mut tables = self.tables();
        let expected = |grant: &&GrantRecord| {
            let present = grant.refresh.as_ref().map(|state| state.generation);
            grant.revoked.is_none() && present == Some(generation)
        };
        if tables.grants.get(&access.grant).filter(expected).is_none() {
            return Ok(Rotated::Lost);
        }
        tables.access.insert(access.id.clone(), access_as_kept(access));
        Ok(Rotated::Rotated)
    }

    async fn find_access(&self, id: &str) -> Result<Option<(AccessRecord, GrantRecord)>, StoreError> {
        let tables = self.tables();
        let access = tables.access.get(id);
        Ok(access.and_then(|access| Some((access.clone(), tables.grants.get(&access.grant)?.clone()))))
    }

    async fn revoke_access(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let good = tables.access.get_mut(id).filter(|access| access.revoked_at.is_none());
        Ok(good.map(|access| access.revoked_at = Some(to_microsecond(at))).is_some())
    }

    async fn revoke_grant(&self, id: &GrantId, revoked: Revoked) -> Result<Revocation, StoreError> {
        Ok(match self.tables().grants.get_mut(id) {
            None => Revocation::NotFound,
            Some(grant) if grant.revoked.is_some() => Revocation::AlreadyRevoked,
            Some(grant) => {
                grant.revoked = Some(Revoked { at: to_microsecond(revoked.at), ..revoked });
                Revocation::Revoked
            }
        })
    }

    async fn revoke_subject(&self, subject: &str, revoked: Revoked) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        tables.codes.retain(|_, code| &*code.subject != subject || code.redeemed_for.is_some());
        let good = |grant: &&mut GrantRecord| &*grant.subject == subject && grant.revoked.is_none();
        let mut count = 0;
        for grant in tables.grants.values_mut().filter(good) {
            grant.revoked = Some(Revoked { at: to_microsecond(revoked.at), ..revoked });
            count += 1;
        }
        Ok(count)
    }

    async fn remember_assertion(&self, hash: &KeyHash, expires_at: Timestamp) -> Result<Insertion, StoreError> {
        let mut tables = self.tables();
        if tables.assertions.contains_key(hash.as_bytes()) {
            return Ok(Insertion::IdTaken);
        }
        tables.assertions.insert(*hash.as_bytes(), to_microsecond(expires_at));
        Ok(Insertion::Inserted)
    }

    async fn sweep(&self, stale: Stale) -> Result<Swept, StoreError> {
        let mut tables = self.tables();
        let codes = removed(&mut tables.codes, |code| code.expires_at < stale.tokens_before);
        let old = |grant: &GrantRecord| {
            grant.expires_at < stale.grants_before
                || grant.revoked.is_some_and(|revoked| revoked.at < stale.grants_before)
        };
        let gone: BTreeSet<_> =
            tables.grants.values().filter(|grant| old(grant)).map(|grant| grant.id.clone()).collect();
        let access_tokens = removed(&mut tables.access, |access| {
            access.expires_at < stale.tokens_before || gone.contains(&access.grant)
        });
        let grants = removed(&mut tables.grants, old);
        let assertions = removed(&mut tables.assertions, |expires_at| *expires_at <= stale.now);
        let unseen = |client: &&ClientRecord| client.last_seen_at.unwrap_or(client.created_at) < stale.clients_before;
        let unused: BTreeSet<_> = tables.unused(stale.now).filter(unseen).map(|client| client.id.clone()).collect();
        let clients = removed(&mut tables.clients, |client| unused.contains(&client.id));
        Ok(Swept { codes, access_tokens, grants, clients, assertions })
    }
}

/// Removes what fits, and says how many it were.
fn removed<K: Ord, V>(map: &mut BTreeMap<K, V>, fits: impl Fn(&V) -> bool) -> u64 {
    let before = map.len();
    map.retain(|_, value| !fits(value));
    u64::try_from(before - map.len()).unwrap_or_default()
}
