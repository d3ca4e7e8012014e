//! Users, their one-time links and their sessions in memory, behind one lock: what concerns several
//! of them is done as a whole.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bridgehead_auth::{
    SessionStore, StoreError, UserStore,
    keys::to_microsecond,
    provider::{IdentityId, IdentityRecord},
    users::{
        Addition, Beginning, Claim, LinkPurpose, LinkRecord, MailAddress, PasswordHash, Redeemed, Redemption,
        SessionRecord, User, UserChange, UserRecord,
    },
};
use jiff::Timestamp;

use super::Memory;

#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) users: BTreeMap<MailAddress, UserRecord>,
    /// Each with the time until which somebody asks the provider about them.
    pub(super) identities: BTreeMap<IdentityId, (IdentityRecord, Option<Timestamp>)>,
    links: BTreeMap<Arc<str>, LinkRecord>,
    sessions: BTreeMap<Arc<str>, SessionRecord>,
}

impl People {
    /// A user who may sign in.
    fn enabled(&mut self, address: &MailAddress) -> Option<&mut UserRecord> {
        self.users.get_mut(address).filter(|record| record.user.disabled_at.is_none())
    }

    pub(super) fn end_sessions(&mut self, address: &MailAddress) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|_, session| session.address != *address);
        u64::try_from(before - self.sessions.len()).unwrap_or(u64::MAX)
    }

    /// Ends the sessions of a user and removes their links, but for the one that is being used.
    fn clear(&mut self, address: &MailAddress, but: Option<&str>) {
        self.end_sessions(address);
        self.links.retain(|id, link| link.purpose.address() != Some(address) || but == Some(&**id));
    }

    pub(super) fn remove_first_link(&mut self) {
        self.links.retain(|_, link| link.purpose != LinkPurpose::FirstAdministrator);
    }

    fn redeem(&mut self, link: &LinkRecord, redemption: Redemption) -> Redeemed {
        match (redemption, &link.purpose) {
            (
                Redemption::Password(password),
                LinkPurpose::Invitation(address) | LinkPurpose::PasswordReset(address),
            ) => {
                let Some(record) = self.enabled(address) else { return Redeemed::NotFor };
                *record = UserRecord::new(record.user.clone(), Some(password));
                self.clear(address, Some(&link.id));
                Redeemed::Done
            }
            (Redemption::FirstAdministrator(_), LinkPurpose::FirstAdministrator) if !self.users.is_empty() => {
                Redeemed::NotFor
            }
            (Redemption::FirstAdministrator(record), LinkPurpose::FirstAdministrator) => {
                self.users.insert(record.user.address.clone(), kept(record));
                Redeemed::Done
            }
            _ => Redeemed::Unknown,
        }
    }
}

pub(super) fn kept(mut record: UserRecord) -> UserRecord {
    record.user.created_at = to_microsecond(record.user.created_at);
    for at in [&mut record.user.disabled_at, &mut record.user.signed_in_at] {
        *at = at.map(to_microsecond);
    }
    UserRecord::new(record.user, record.password)
}

fn kept_link(link: LinkRecord) -> LinkRecord {
    LinkRecord {
        created_at: to_microsecond(link.created_at),
        expires_at: to_microsecond(link.expires_at),
        used_at: link.used_at.map(to_microsecond),
        ..link
    }
}

#[async_trait]
impl UserStore for Memory {
    async fn add_user(&self, record: UserRecord) -> Result<Addition, StoreError> {
        let mut people = self.people();
        if people.users.contains_key(&record.user.address) {
            return Ok(Addition::AddressTaken);
        }
        people.users.insert(record.user.address.clone(), kept(record));
        people.remove_first_link();
        Ok(Addition::Added)
    }

    async fn find_user(&self, address: &MailAddress) -> Result<Option<UserRecord>, StoreError> {
        Ok(self.people().users.get(address).cloned())
    }

    async fn list_users(&self) -> Result<Vec<UserRecord>, StoreError> {
        let mut records: Vec<_> = self.people().users.values().cloned().collect();
        // The map is in the order of addresses, and sorting keeps the order of equals.
        records.sort_by_key(|record| record.user.created_at);
        Ok(records)
    }

    async fn disable_user(&self, address: &MailAddress, at: Timestamp) -> Result<UserChange, StoreError> {
        let mut people = self.people();
        Ok(match people.users.get_mut(address) {
            None => UserChange::NotFound,
            Some(record) if record.user.disabled_at.is_some() => UserChange::Unchanged,
            Some(record) => {
                record.user.disabled_at = Some(to_microsecond(at));
                people.clear(address, None);
                UserChange::Changed
            }
        })
    }

    async fn enable_user(&self, address: &MailAddress) -> Result<UserChange, StoreError> {
        Ok(match self.people().users.get_mut(address).map(|record| record.user.disabled_at.take()) {
            None => UserChange::NotFound,
            Some(None) => UserChange::Unchanged,
            Some(Some(_)) => UserChange::Changed,
        })
    }

    async fn set_password(&self, address: &MailAddress, password: &PasswordHash) -> Result<UserChange, StoreError> {
        let mut people = self.people();
        let Some(record) = people.users.get_mut(address) else { return Ok(UserChange::NotFound) };
        *record = UserRecord::new(record.user.clone(), Some(password.clone()));
        people.clear(address, None);
        Ok(UserChange::Changed)
    }

    async fn replace_hash(
        &self,
        address: &MailAddress,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let mut people = self.people();
        let record = people.users.get_mut(address).filter(|record| record.password.as_ref() == Some(old));
        Ok(record.map(|record| record.password = Some(new.clone())).is_some())
    }

    async fn put_link(&self, link: LinkRecord) -> Result<bool, StoreError> {
        let mut people = self.people();
        let Some(address) = link.purpose.address().cloned() else { return Ok(false) };
        if people.enabled(&address).is_none() {
            return Ok(false);
        }
        people.links.retain(|_, other| other.purpose.address() != Some(&address));
        people.links.insert(link.id.clone(), kept_link(link));
        Ok(true)
    }

    async fn claim_first_administrator(&self, link: LinkRecord, now: Timestamp) -> Result<Claim, StoreError> {
        let mut people = self.people();
        if !people.users.is_empty() {
            return Ok(Claim::NotNeeded);
        }
        let standing = people.links.values().find(|other| other.purpose == LinkPurpose::FirstAdministrator);
        if let Some(standing) = standing.filter(|other| other.used_at.is_none() && other.expires_at > now) {
            return Ok(Claim::Stands(standing.clone()));
        }
        people.remove_first_link();
        people.links.insert(link.id.clone(), kept_link(link));
        Ok(Claim::Made)
    }

    async fn find_link(&self, id: &str) -> Result<Option<LinkRecord>, StoreError> {
        Ok(self.people().links.get(id).cloned())
    }

    async fn redeem_link(&self, id: &str, redemption: Redemption, now: Timestamp) -> Result<Redeemed, StoreError> {
        let mut people = self.people();
        let link = match people.links.get(id) {
            None => return Ok(Redeemed::Unknown),
            Some(link) if link.used_at.is_some() => return Ok(Redeemed::Spent),
            Some(link) if link.expires_at <= now => return Ok(Redeemed::Expired),
            Some(link) => link.clone(),
        };
        let redeemed = people.redeem(&link, redemption);
        if redeemed == Redeemed::Done {
            people.links.insert(link.id.clone(), LinkRecord { used_at: Some(to_microsecond(now)), ..link });
        }
        Ok(redeemed)
    }

    async fn remove_links(&self, expired_before: Timestamp) -> Result<u64, StoreError> {
        let mut people = self.people();
        let before = people.links.len();
        people.links.retain(|_, link| link.expires_at > expired_before);
        Ok(u64::try_from(before - people.links.len()).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl SessionStore for Memory {
    async fn begin_session(
        &self,
        session: SessionRecord,
        password: Option<&PasswordHash>,
    ) -> Result<Beginning, StoreError> {
        let session = SessionRecord {
            created_at: to_microsecond(session.created_at),
            expires_at: to_microsecond(session.expires_at),
            last_used_at: to_microsecond(session.last_used_at),
            ..session
        };
        let mut people = self.people();
        let record = people.enabled(&session.address);
        let Some(record) = record.filter(|record| password.is_none() || record.password.as_ref() == password) else {
            return Ok(Beginning::Refused);
        };
        record.user.signed_in_at = record.user.signed_in_at.max(Some(session.created_at));
        people.sessions.insert(session.id.clone(), session);
        Ok(Beginning::Begun)
    }

    async fn find_session(&self, id: &str) -> Result<Option<(SessionRecord, User)>, StoreError> {
        let people = self.people();
        let session = people.sessions.get(id);
        Ok(session.and_then(|session| Some((session.clone(), people.users.get(&session.address)?.user.clone()))))
    }

    async fn touch_session(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        if let Some(session) = self.people().sessions.get_mut(id) {
            session.last_used_at = session.last_used_at.max(to_microsecond(at));
        }
        Ok(())
    }

    async fn end_session(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.people().sessions.remove(id).is_some())
    }

    async fn end_sessions_of(&self, address: &MailAddress) -> Result<u64, StoreError> {
        Ok(self.people().end_sessions(address))
    }

    async fn remove_sessions(&self, now: Timestamp, idle_since: Timestamp) -> Result<u64, StoreError> {
        let mut people = self.people();
        let before = people.sessions.len();
        people.sessions.retain(|_, session| session.expires_at > now && session.last_used_at > idle_since);
        Ok(u64::try_from(before - people.sessions.len()).unwrap_or(u64::MAX))
    }
}
