//! What the tests of this module share: a store that forgets, and can fail, and a desk with all that
//! belongs to it. (The stores cannot be used here: they stand on this crate.)

use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::*;
use crate::testing::{MovedClock, Seeded};

#[derive(Default)]
pub(super) struct State {
    pub(super) users: Vec<UserRecord>,
    pub(super) links: Vec<LinkRecord>,
    pub(super) sessions: Vec<SessionRecord>,
}

impl State {
    fn user(&mut self, address: &MailAddress) -> Option<&mut UserRecord> {
        self.users.iter_mut().find(|record| record.user.address == *address)
    }

    fn clear(&mut self, address: &MailAddress, but: &str) {
        self.sessions.retain(|session| session.address != *address);
        self.links.retain(|link| link.purpose.address() != Some(address) || *link.id == *but);
    }
}

#[derive(Default)]
pub(super) struct FakePeople {
    state: Mutex<State>,
    pub(super) down: AtomicBool,
    pub(super) touches: AtomicUsize,
}

impl FakePeople {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn up(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.down.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable { store: "fake:".into(), what: "it is down".into(), cause: None });
        }
        Ok(self.state())
    }
}

fn change(done: Option<bool>) -> UserChange {
    match done {
        None => UserChange::NotFound,
        Some(false) => UserChange::Unchanged,
        Some(true) => UserChange::Changed,
    }
}

#[async_trait]
impl UserStore for FakePeople {
    async fn add_user(&self, record: UserRecord) -> Result<Addition, StoreError> {
        let mut state = self.up()?;
        if state.user(&record.user.address).is_some() {
            return Ok(Addition::AddressTaken);
        }
        state.links.retain(|link| link.purpose != LinkPurpose::FirstAdministrator);
        state.users.push(record);
        Ok(Addition::Added)
    }

    async fn find_user(&self, address: &MailAddress) -> Result<Option<UserRecord>, StoreError> {
        Ok(self.up()?.user(address).cloned())
    }

    async fn list_users(&self) -> Result<Vec<UserRecord>, StoreError> {
        Ok(self.up()?.users.clone())
    }

    async fn disable_user(&self, address: &MailAddress, at: Timestamp) -> Result<UserChange, StoreError> {
        let mut state = self.up()?;
        let done = state.user(address).map(|record| record.user.disabled_at.replace(at).is_none());
        state.clear(address, "");
        Ok(change(done))
    }

    async fn enable_user(&self, address: &MailAddress) -> Result<UserChange, StoreError> {
        Ok(change(self.up()?.user(address).map(|record| record.user.disabled_at.take().is_some())))
    }

    async fn set_password(&self, address: &MailAddress, password: &PasswordHash) -> Result<UserChange, StoreError> {
        let mut state = self.up()?;
        let done = state.user(address).map(|record| {
            *record = UserRecord::new(record.user.clone(), Some(password.clone()));
            true
        });
        state.clear(address, "");
        Ok(change(done))
    }

    async fn replace_hash(
        &self,
        address: &MailAddress,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let mut state = self.up()?;
        let record = state.user(address).filter(|record| record.password.as_ref() == Some(old));
        Ok(record.map(|record| record.password = Some(new.clone())).is_some())
    }

    async fn put_link(&self, link: LinkRecord) -> Result<bool, StoreError> {
        let mut state = self.up()?;
        let address = link.purpose.address().unwrap().clone();
        if state.user(&address).is_none_or(|record| record.user.disabled_at.is_some()) {
            return Ok(false);
        }
        state.links.retain(|other| other.purpose.address() != Some(&address));
        state.links.push(link);
        Ok(true)
    }

    async fn claim_first_administrator(&self, link: LinkRecord, now: Timestamp) -> Result<Claim, StoreError> {
        let mut state = self.up()?;
        if !state.users.is_empty() {
            return Ok(Claim::NotNeeded);
        }
        if let Some(standing) = state.links.iter().find(|other| other.expires_at > now) {
            return Ok(Claim::Stands(standing.clone()));
        }
        state.links = vec![link];
        Ok(Claim::Made)
    }

    async fn find_link(&self, id: &str) -> Result<Option<LinkRecord>, StoreError> {
        Ok(self.up()?.links.iter().find(|link| *link.id == *id).cloned())
    }

    async fn redeem_link(&self, id: &str, redemption: Redemption, now: Timestamp) -> Result<Redeemed, StoreError> {
        let mut state = self.up()?;
        let Some(link) = state.links.iter_mut().find(|link| *link.id == *id) else { return Ok(Redeemed::Unknown) };
        if link.used_at.replace(now).is_some() {
            return Ok(Redeemed::Spent);
        }
        match (redemption, link.purpose.clone()) {
            (Redemption::FirstAdministrator(record), _) => state.users.push(record),
            (Redemption::Password(password), purpose) => {
                let address = purpose.address().unwrap();
                let record = state.user(address).unwrap();
                *record = UserRecord::new(record.user.clone(), Some(password));
                state.clear(address, id);
            }
        }
        Ok(Redeemed::Done)
    }

    async fn remove_links(&self, expired_before: Timestamp) -> Result<u64, StoreError> {
        self.up()?.links.retain(|link| link.expires_at > expired_before);
        Ok(0)
    }
}

#[async_trait]
impl SessionStore for FakePeople {
    async fn begin_session(
        &self,
        session: SessionRecord,
        password: Option<&PasswordHash>,
    ) -> Result<Beginning, StoreError> {
        let mut state = self.up()?;
        let record = state.user(&session.address).filter(|record| record.user.disabled_at.is_none());
        if record.is_none_or(|record| record.password.as_ref() != password) {
            return Ok(Beginning::Refused);
        }
        state.sessions.push(session);
        Ok(Beginning::Begun)
    }

    async fn find_session(&self, id: &str) -> Result<Option<(SessionRecord, User)>, StoreError> {
        let mut state = self.up()?;
        let Some(session) = state.sessions.iter().find(|session| *session.id == *id).cloned() else { return Ok(None) };
        let user = state.user(&session.address).unwrap().user.clone();
        Ok(Some((session, user)))
    }

    async fn touch_session(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        self.touches.fetch_add(1, Ordering::Relaxed);
        let mut state = self.up()?;
        let found = state.sessions.iter_mut().find(|session| *session.id == *id);
        if let Some(session) = found {
            session.last_used_at = at;
        }
        Ok(())
    }

    async fn end_session(&self, id: &str) -> Result<bool, StoreError> {
        let mut state = self.up()?;
        let before = state.sessions.len();
        state.sessions.retain(|session| *session.id != *id);
        Ok(state.sessions.len() < before)
    }

    async fn end_sessions_of(&self, address: &MailAddress) -> Result<u64, StoreError> {
        let mut state = self.up()?;
        let before = state.sessions.len();
        state.sessions.retain(|session| session.address != *address);
        Ok((before - state.sessions.len()) as u64)
    }

    async fn remove_sessions(&self, now: Timestamp, idle_since: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.up()?;
        let before = state.sessions.len();
        state.sessions.retain(|session| session.expires_at > now && session.last_used_at > idle_since);
        Ok((before - state.sessions.len()) as u64)
    }
}

pub(super) const PASSWORD: &str = "correct horse battery";

/// Little enough work for a test that is not optimised.
pub(super) const CHEAP: HashingCost = HashingCost { memory: 8, passes: 1, lanes: 1 };

pub(super) struct Desk {
    pub(super) store: Arc<FakePeople>,
    pub(super) clock: Arc<MovedClock>,
    pub(super) roots: RootKeys,
    pub(super) users: Users,
    pub(super) sessions: Sessions,
}

impl Desk {
    pub(super) fn new() -> Self {
        let (store, clock) = (Arc::new(FakePeople::default()), Arc::new(MovedClock::at_noon()));
        let roots = RootKeys::generate(&Seeded::new(1));
        let users = users(&store, &clock, &roots, 2);
        let sessions = Sessions::new(store.clone(), &roots, clock.clone(), Arc::new(Seeded::new(3)));
        Self { store, clock, roots, users, sessions }
    }

    /// Another replica, or the same after a restart.
    pub(super) fn replica(&self, roots: &RootKeys, seed: u64) -> Users {
        users(&self.store, &self.clock, roots, seed)
    }

    pub(super) async fn alice(&self) -> MailAddress {
        let user = self.users.add(new_user("alice@example.com")).await.unwrap();
        self.users.set_password(&user.address, &secret(PASSWORD)).await.unwrap();
        user.address
    }

    pub(super) async fn sign_in(&self, address: &str, password: &str) -> Result<SignedIn, SignInError> {
        sign_in(&self.users, address, password).await
    }
}

pub(super) async fn sign_in(users: &Users, address: &str, password: &str) -> Result<SignedIn, SignInError> {
    let from = [192, 0, 2, 1].into();
    users.sign_in(&Credentials { address, password: &secret(password), from }).await
}

fn users(store: &Arc<FakePeople>, clock: &Arc<MovedClock>, roots: &RootKeys, seed: u64) -> Users {
    Users::new(store.clone(), roots, clock.clone(), Arc::new(Seeded::new(seed))).with_cost(CHEAP)
}

pub(super) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

pub(super) fn new_user(address: &str) -> NewUser {
    NewUser { address: address.to_owned(), name: None, admin: false, scopes: ScopeSet::read_and_write() }
}
