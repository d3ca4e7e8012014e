//! Who of an identity provider is which user, in memory: behind the lock of all that concerns users.

use async_trait::async_trait;
use bridgehead_auth::{
    StoreError,
    keys::to_microsecond,
    provider::{Bound, IdentityId, IdentityRecord, IdentityStore, Vouched},
    users::{MailAddress, UserRecord},
};
use bridgehead_core::ScopeSet;
use jiff::Timestamp;

use super::{
    Memory,
    people::{People, kept},
};

impl People {
    /// A person who was last vouched for then, and was not refused since.
    fn vouched_for(
        &mut self,
        id: &IdentityId,
        checked_at: Timestamp,
    ) -> Option<&mut (IdentityRecord, Option<Timestamp>)> {
        let known = self.identities.get_mut(id);
        known.filter(|(record, _)| record.checked_at == to_microsecond(checked_at) && record.refused_at.is_none())
    }

    fn give_scopes(&mut self, address: &MailAddress, scopes: &ScopeSet) {
        if let Some(record) = self.users.get_mut(address) {
            record.user.scopes = scopes.clone();
        }
    }
}

#[async_trait]
impl IdentityStore for Memory {
    async fn bind_identity(&self, record: IdentityRecord, user: UserRecord) -> Result<Bound, StoreError> {
        let mut people = self.people();
        let known = people.identities.get(&record.id).map(|(known, _)| known.address.clone());
        let is_theirs =
            |(other, _): &(IdentityRecord, _)| other.id.issuer == record.id.issuer && other.address == record.address;
        if known.is_none() && people.identities.values().any(is_theirs) {
            return Ok(Bound::AddressTaken);
        }
        let address = known.unwrap_or_else(|| record.address.clone());
        if !people.users.contains_key(&address) {
            people.users.insert(address.clone(), kept(user));
            people.remove_first_link();
        }
        people.give_scopes(&address, &record.scopes);
        let record = IdentityRecord {
            address: address.clone(),
            checked_at: to_microsecond(record.checked_at),
            refused_at: record.refused_at.map(to_microsecond),
            ..record
        };
        people.identities.insert(record.id.clone(), (record, None));
        let user = people.users.get(&address).cloned();
        Ok(user.map_or(Bound::AddressTaken, |user| Bound::To(Box::new(user))))
    }

    async fn identity_of(&self, issuer: &str, address: &MailAddress) -> Result<Option<IdentityRecord>, StoreError> {
        let people = self.people();
        let mut records = people.identities.values().map(|(record, _)| record);
        Ok(records.find(|record| record.id.issuer == issuer && record.address == *address).cloned())
    }

    async fn begin_check(
        &self,
        id: &IdentityId,
        checked_at: Timestamp,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut people = self.people();
        let known = people.vouched_for(id, checked_at);
        let free = known.filter(|(_, asking_until)| asking_until.is_none_or(|held| held <= now));
        Ok(free.map(|(_, asking_until)| *asking_until = Some(until)).is_some())
    }

    async fn vouched(&self, id: &IdentityId, checked_at: Timestamp, said: Vouched) -> Result<bool, StoreError> {
        let mut people = self.people();
        let Some((record, asking_until)) = people.vouched_for(id, checked_at) else { return Ok(false) };
        let Vouched { claims, scopes, tokens, at } = said;
        *asking_until = None;
        let (address, checked_at) = (record.address.clone(), to_microsecond(at));
        *record = IdentityRecord { claims, scopes: scopes.clone(), tokens, checked_at, ..record.clone() };
        people.give_scopes(&address, &scopes);
        Ok(true)
    }

    async fn refused(&self, id: &IdentityId, checked_at: Timestamp, at: Timestamp) -> Result<bool, StoreError> {
        let mut people = self.people();
        let Some((record, asking_until)) = people.vouched_for(id, checked_at) else { return Ok(false) };
        *asking_until = None;
        let address = record.address.clone();
        *record = IdentityRecord { refused_at: Some(to_microsecond(at)), tokens: None, ..record.clone() };
        people.end_sessions(&address);
        Ok(true)
    }

    async fn release_user(&self, address: &MailAddress) -> Result<bool, StoreError> {
        let mut people = self.people();
        let before = people.identities.len();
        people.identities.retain(|_, (record, _)| record.address != *address);
        let released = people.identities.len() < before;
        if released {
            people.end_sessions(address);
        }
        Ok(released)
    }
}
