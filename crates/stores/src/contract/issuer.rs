//! What every [`IssuerStore`] has to keep.

use std::{future::Future, sync::Arc};

use bridgehead_auth::{
    Insertion, IssuerStore, KeyHash, KeyVersion, Revocation, StoreError,
    issuer::{
        AccessRecord, Admission, AuthMethod, ClientId, ClientKind, ClientMetadata, ClientRecord, CodeRecord,
        DocumentCopy, GrantId, GrantRecord, GrantsOf, Redemption, RefreshState, Revoked, RevokedBecause, Room, Rotated,
        Rotation, Stale, StoredHash, Swept,
    },
};
use bridgehead_core::{EndpointId, ScopeSet};

use super::{CROWD, at};

/// Holds an [`IssuerStore`] to its promises. Has to run on a Tokio runtime, best one with several
/// threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn issuer_store<Make, Made>(make: Make) -> Result<(), StoreError>
where
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<dyn IssuerStore>, StoreError>>,
{
    an_empty_store_knows_nothing(&*make().await?).await?;
    clients_are_found_as_they_were(&*make().await?).await?;
    a_document_is_refreshed(&*make().await?).await?;
    room_is_made_of_the_oldest_unused(&*make().await?).await?;
    a_client_is_revoked_once(&*make().await?).await?;
    a_removed_client_takes_its_grants_along(&*make().await?).await?;
    codes_grants_and_tokens_are_found_as_they_were(&*make().await?).await?;
    a_code_is_redeemed_whole_or_not(&*make().await?).await?;
    a_rotation_needs_its_generation(&*make().await?).await?;
    what_is_revoked_stays_so(&*make().await?).await?;
    a_subject_is_cut_off_whole(&*make().await?).await?;
    an_assertion_is_used_once(&*make().await?).await?;
    what_is_of_no_use_is_swept(&*make().await?).await?;
    of_many_redemptions_one_counts(make().await?).await?;
    of_many_rotations_one_counts(make().await?).await?;
    of_many_admissions_no_more_than_room(make().await?).await
}

const NOW: i64 = 1_750_000_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Text that breaks what is put together carelessly.
const ODD: &str = "Žofie 张伟 👩‍🔧 <zofie@example.com>'; DROP TABLE oauth_client; --";

fn hash(byte: u8) -> StoredHash {
    let version = KeyVersion::parse("0123abcd").expect("the suite's versions are well formed");
    StoredHash { version, hash: KeyHash::new([byte; 32]) }
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).expect("the suite's scopes are well formed")
}

fn client_id(number: u32) -> ClientId {
    ClientId::parse(&format!("bhi_{number:012}")).expect("the suite's ids are well formed")
}

fn grant_id(number: u32) -> GrantId {
    GrantId::parse(&format!("{number:012}")).expect("the suite's ids are well formed")
}

fn metadata() -> ClientMetadata {
    ClientMetadata {
        redirect_uris: vec!["https://a.example/cb?x=1".into(), "cursor://a/b".into()],
        token_endpoint_auth_method: AuthMethod::ClientSecretBasic,
        grant_types: vec!["authorization_code".into(), "refresh_token".into()],
        response_types: vec!["code".into()],
        client_name: Some(format!("{ODD}\u{0}")),
        client_uri: None,
        logo_uri: Some("https://a.example/logo.png".into()),
        scope: Some("tools:read".into()),
        contacts: Some(vec![ODD.into()]),
        tos_uri: None,
        policy_uri: None,
        jwks_uri: None,
        jwks: None,
        software_id: None,
        software_version: Some("1".into()),
        application_type: Some("web".into()),
        token_endpoint_auth_signing_alg: None,
    }
}

fn client(number: u32) -> ClientRecord {
    ClientRecord {
        id: client_id(number),
        kind: ClientKind::Registered,
        metadata: metadata(),
        secret: Some(hash(1)),
        registration_token: Some(hash(2)),
        created_at: at(NOW + i64::from(number)),
        last_seen_at: None,
        document: None,
        revoked_at: None,
    }
}

fn document(url: &str) -> ClientRecord {
    ClientRecord {
        id: ClientId::parse(url).expect("the suite's URLs are well formed"),
        kind: ClientKind::Document,
        secret: None,
        registration_token: None,
        document: Some(DocumentCopy { fetched_at: at(NOW), fresh_until: at(NOW + 1) }),
        ..client(0)
    }
}

fn code(number: u32) -> CodeRecord {
    CodeRecord {
        id: format!("{number:012}").into(),
        hash: hash(3),
        client: client_id(number),
        subject: ODD.into(),
        endpoint: EndpointId::main(),
        resource: "https://mcp.example.com/mcp".into(),
        scopes: scopes("tools:read tools:write"),
        redirect_uri: "http://127.0.0.1:51234/cb".into(),
        code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into(),
        created_at: at(NOW),
        expires_at: at(NOW + 60_000_000),
        redeemed_for: None,
    }
}

/// The grant of [`code`] and of [`client`] with the same number.
fn grant(number: u32) -> GrantRecord {
    GrantRecord {
        id: grant_id(number),
        client: client_id(number),
        client_name: Some(ODD.into()),
        subject: ODD.into(),
        endpoint: EndpointId::main(),
        resource: "https://mcp.example.com/mcp".into(),
        scopes: scopes("tools:read tools:write"),
        created_at: at(NOW + i64::from(number)),
        refreshed_at: at(NOW + i64::from(number)),
        expires_at: at(NOW + 30 * DAY),
        ends_at: at(NOW + 180 * DAY),
        refresh: Some(state(0)),
        revoked: None,
    }
}

fn state(generation: u32) -> RefreshState {
    let byte = |generation: u32| u8::try_from(generation % 200).unwrap_or_default();
    RefreshState {
        generation,
        current: hash(byte(generation)),
        issuer_key: KeyVersion::parse("89abcdef").expect("the suite's versions are well formed"),
        previous: generation.checked_sub(1).map(|before| hash(byte(before))),
    }
}

fn access(grant: u32, number: u32) -> AccessRecord {
    AccessRecord {
        id: format!("{number:012}").into(),
        hash: hash(4),
        grant: grant_id(grant),
        scopes: scopes("tools:read"),
        created_at: at(NOW),
        expires_at: at(NOW + 900_000_000),
        revoked_at: None,
    }
}

fn rotation(number: u32, from: u32) -> Rotation {
    Rotation {
        grant: grant_id(number),
        from_generation: from,
        to: state(from + 1),
        refreshed_at: at(NOW + 5),
        expires_at: at(NOW + 31 * DAY),
    }
}

fn revoked(micros: i64, why: RevokedBecause) -> Revoked {
    Revoked { at: at(micros), why }
}

fn room(clients: u64) -> Room {
    Room { clients, now: at(NOW + DAY), open_since: at(NOW + DAY - 1) }
}

/// Stores code and grant of this number, and one access token.
async fn redeemed(store: &dyn IssuerStore, number: u32) -> Result<(), StoreError> {
    let _ = store.insert_code(code(number)).await?;
    let redemption = store.redeem_code(&code(number).id, grant(number), access(number, number)).await?;
    assert_eq!(redemption, Redemption::Redeemed);
    Ok(())
}

async fn an_empty_store_knows_nothing(store: &dyn IssuerStore) -> Result<(), StoreError> {
    assert_eq!(store.find_client(&client_id(1)).await?, None);
    assert_eq!(store.clients(ClientKind::Registered).await?, []);
    assert_eq!(store.count_clients(ClientKind::Registered).await?, 0);
    store.see_client(&client_id(1), at(1)).await?;
    store.refresh_document(&document("https://a.example/x")).await?;
    assert_eq!(store.revoke_client(&client_id(1), at(1)).await?, Revocation::NotFound);
    assert!(!store.remove_client(&client_id(1), at(1)).await?);
    assert_eq!(store.find_code("000000000001").await?, None);
    assert_eq!(store.redeem_code("000000000001", grant(1), access(1, 1)).await?, Redemption::Gone);
    assert_eq!(store.find_grant(&grant_id(1)).await?, None);
    assert_eq!(store.grants(&GrantsOf::Everybody).await?, []);
    assert_eq!(store.rotate(rotation(1, 0), access(1, 1)).await?, Rotated::Lost);
    assert_eq!(store.insert_access(access(1, 1), 0).await?, Rotated::Lost);
    assert_eq!(store.find_access("000000000001").await?, None);
    assert!(!store.revoke_access("000000000001", at(1)).await?);
    let why = revoked(1, RevokedBecause::Asked);
    assert_eq!(store.revoke_grant(&grant_id(1), why).await?, Revocation::NotFound);
    assert_eq!(store.revoke_subject(ODD, why).await?, 0);
    assert_eq!(store.count_clients(ClientKind::Document).await?, 0, "looking for a client makes none");
    Ok(())
}

async fn clients_are_found_as_they_were(store: &dyn IssuerStore) -> Result<(), StoreError> {
    let bare = ClientRecord {
        kind: ClientKind::PreRegistered,
        secret: None,
        registration_token: None,
        created_at: at(-1),
        ..client(3)
    };
    let full = ClientRecord { last_seen_at: Some(at(NOW + 9)), revoked_at: Some(at(NOW + 10)), ..client(2) };
    let by_document = document("https://a.example/client.json?x=%20");
    assert_eq!(store.admit_client(full.clone(), room(10)).await?, Admission::Admitted);
    assert_eq!(store.admit_client(client(1), room(10)).await?, Admission::Admitted);
    assert_eq!(store.admit_client(by_document.clone(), room(10)).await?, Admission::Admitted);
    assert_eq!(store.insert_client(bare.clone()).await?, Insertion::Inserted);
    for one in [&full, &bare, &by_document] {
        assert_eq!(store.find_client(&one.id).await?.as_ref(), Some(one));
    }
    let taken = ClientRecord { metadata: ClientMetadata { client_name: None, ..metadata() }, ..bare.clone() };
    assert_eq!(store.insert_client(taken.clone()).await?, Insertion::IdTaken);
    assert_eq!(store.admit_client(taken, room(10)).await?, Admission::IdTaken);
    assert_eq!(store.clients(ClientKind::Registered).await?, [client(1), full], "oldest first");
    assert_eq!(store.clients(ClientKind::PreRegistered).await?, [bare]);
    assert_eq!(store.clients(ClientKind::Document).await?, [by_document]);
    assert_eq!(store.count_clients(ClientKind::Registered).await?, 2);
    store.see_client(&client_id(1), at(NOW + 100)).await?;
    store.see_client(&client_id(1), at(NOW + 50)).await?;
    let seen = store.find_client(&client_id(1)).await?.and_then(|client| client.last_seen_at);
    assert_eq!(seen, Some(at(NOW + 100)), "the time never moves back");
    Ok(())
}

async fn a_document_is_refreshed(store: &dyn IssuerStore) -> Result<(), StoreError> {
    let first = document("https://a.example/client.json");
    let _ = store.admit_client(first.clone(), room(10)).await?;
    store.see_client(&first.id, at(NOW + 3)).await?;
    let newer = ClientRecord {
        metadata: ClientMetadata { redirect_uris: vec!["https://b.example/cb".into()], ..metadata() },
        document: Some(DocumentCopy { fetched_at: at(NOW + 7), fresh_until: at(NOW + 8) }),
        created_at: at(1),
        ..first.clone()
    };
    store.refresh_document(&newer).await?;
    let expected = ClientRecord { created_at: first.created_at, last_seen_at: Some(at(NOW + 3)), ..newer };
    assert_eq!(store.find_client(&first.id).await?, Some(expected));
    Ok(())
}

async fn room_is_made_of_the_oldest_unused(store: &dyn IssuerStore) -> Result<(), StoreError> {
    let limited = |number| store.admit_client(client(number), room(5));
    // 1 has a live grant, 2 a code that is still good, 3 was seen a moment ago, 5 and 6 are of no use to
    // anybody. Others are of another kind.
    let operators = ClientRecord { kind: ClientKind::PreRegistered, created_at: at(0), ..client(100) };
    let _ = store.insert_client(operators.clone()).await?;
    let _ = store.admit_client(document("https://a.example/x"), room(5)).await?;
    for number in [6, 5, 3, 2, 1] {
        assert_eq!(limited(number).await?, Admission::Admitted);
    }
    redeemed(store, 1).await?;
    let still_good = CodeRecord { expires_at: at(NOW + DAY + 1), ..code(2) };
    let _ = store.insert_code(still_good).await?;
    store.see_client(&client_id(3), at(NOW + DAY)).await?;

    let left = async || -> Result<Vec<u32>, StoreError> {
        let clients = store.clients(ClientKind::Registered).await?;
        Ok((1..20).filter(|number| clients.iter().any(|client| client.id == client_id(*number))).collect())
    };
    assert_eq!(limited(7).await?, Admission::Admitted);
    assert_eq!(left().await?, [1, 2, 3, 6, 7], "the oldest goes that nobody uses");
    assert_eq!(limited(8).await?, Admission::Admitted);
    assert_eq!(limited(9).await?, Admission::Admitted);
    assert_eq!(left().await?, [1, 2, 3, 8, 9]);
    store.see_client(&client_id(8), at(NOW + DAY)).await?;
    store.see_client(&client_id(9), at(NOW + DAY - 1)).await?;
    assert_eq!(limited(10).await?, Admission::Full);
    assert_eq!(left().await?, [1, 2, 3, 8, 9], "nobody goes who is in use");
    // A moment later one flow is over, and later still the others, the grant and the code.
    let later = Room { open_since: at(NOW + DAY), ..room(5) };
    assert_eq!(store.admit_client(client(11), later).await?, Admission::Admitted);
    assert_eq!(left().await?, [1, 2, 3, 8, 11]);
    let much_later = Room { now: at(NOW + 40 * DAY), open_since: at(NOW + 40 * DAY), clients: 2 };
    assert_eq!(store.admit_client(client(12), much_later).await?, Admission::Admitted);
    assert_eq!(left().await?, [11, 12], "as many go as have to");
    assert!(store.find_client(&operators.id).await?.is_some());
    documents_make_room_for_each_other(store, much_later).await
}

async fn documents_make_room_for_each_other(store: &dyn IssuerStore, room: Room) -> Result<(), StoreError> {
    let banned = document("https://a.example/banned");
    let _ = store.admit_client(banned.clone(), room).await?;
    assert_eq!(store.revoke_client(&banned.id, at(NOW)).await?, Revocation::Revoked);
    assert_eq!(store.admit_client(document("https://a.example/y"), room).await?, Admission::Admitted);
    assert_eq!(store.find_client(&document("https://a.example/x").id).await?, None);
    assert!(store.find_client(&banned.id).await?.is_some(), "who is shut out stays so");
    let nothing_but_banned = Room { clients: 1, ..room };
    assert_eq!(store.admit_client(document("https://a.example/z"), nothing_but_banned).await?, Admission::Full);
    assert!(store.find_client(&document("https://a.example/y").id).await?.is_some());
    assert_eq!(store.count_clients(ClientKind::Registered).await?, 2, "no registration goes for a document");
    Ok(())
}

async fn a_client_is_revoked_once(store: &dyn IssuerStore) -> Result<(), StoreError> {
    for number in [1, 2] {
        let _ = store.insert_client(ClientRecord { kind: ClientKind::PreRegistered, ..client(number) }).await?;
        redeemed(store, number).await?;
    }
    let _ = store.insert_code(CodeRecord { client: client_id(1), ..code(3) }).await?;
    assert_eq!(store.revoke_client(&client_id(1), at(NOW + 7)).await?, Revocation::Revoked);
    assert_eq!(store.revoke_client(&client_id(1), at(NOW + 8)).await?, Revocation::AlreadyRevoked);
    let client = store.find_client(&client_id(1)).await?;
    assert_eq!(client.and_then(|client| client.revoked_at), Some(at(NOW + 7)), "the first time stands");
    assert_eq!(store.find_code(&code(3).id).await?, None, "what was not redeemed cannot be any more");
    assert!(store.find_code(&code(1).id).await?.is_some(), "what was redeemed is still known");
    let ended = Some(revoked(NOW + 7, RevokedBecause::ClientGone));
    assert_eq!(store.find_grant(&grant_id(1)).await?.and_then(|grant| grant.revoked), ended);
    assert_eq!(store.find_grant(&grant_id(2)).await?, Some(grant(2)), "the other client is as it was");
    Ok(())
}

async fn a_removed_client_takes_its_grants_along(store: &dyn IssuerStore) -> Result<(), StoreError> {
    let _ = store.admit_client(client(1), room(10)).await?;
    redeemed(store, 1).await?;
    let _ = store.insert_code(CodeRecord { client: client_id(1), ..code(3) }).await?;
    assert!(store.remove_client(&client_id(1), at(NOW + 7)).await?);
    assert!(!store.remove_client(&client_id(1), at(NOW + 8)).await?);
    assert_eq!(store.find_client(&client_id(1)).await?, None);
    assert_eq!(store.find_code(&code(3).id).await?, None);
    let ended = Some(revoked(NOW + 7, RevokedBecause::ClientGone));
    assert_eq!(store.find_grant(&grant_id(1)).await?.and_then(|grant| grant.revoked), ended);
    Ok(())
}

async fn codes_grants_and_tokens_are_found_as_they_were(store: &dyn IssuerStore) -> Result<(), StoreError> {
    assert_eq!(store.insert_code(code(1)).await?, Insertion::Inserted);
    assert_eq!(store.insert_code(CodeRecord { subject: "mallory".into(), ..code(1) }).await?, Insertion::IdTaken);
    assert_eq!(store.find_code(&code(1).id).await?, Some(code(1)));
    let with_refresh = GrantRecord { refresh: Some(state(1)), ..grant(1) };
    let redemption = store.redeem_code(&code(1).id, with_refresh.clone(), access(1, 7)).await?;
    assert_eq!(redemption, Redemption::Redeemed);
    let used = CodeRecord { redeemed_for: Some(grant_id(1)), ..code(1) };
    assert_eq!(store.find_code(&code(1).id).await?, Some(used));
    assert_eq!(store.find_grant(&grant_id(1)).await?.as_ref(), Some(&with_refresh));
    assert_eq!(store.find_access(&access(1, 7).id).await?, Some((access(1, 7), with_refresh.clone())));

    let bare = GrantRecord {
        client_name: None,
        subject: "b".into(),
        refresh: None,
        created_at: at(-5),
        revoked: Some(revoked(3, RevokedBecause::CodeReplayed)),
        ..grant(2)
    };
    let _ = store.insert_code(code(2)).await?;
    let ended = AccessRecord { revoked_at: Some(at(NOW + 1)), scopes: scopes(""), ..access(2, 8) };
    let redemption = store.redeem_code(&code(2).id, bare.clone(), ended.clone()).await?;
    assert_eq!(redemption, Redemption::Redeemed);
    assert_eq!(store.find_access(&ended.id).await?, Some((ended, bare.clone())));
    assert_eq!(store.grants(&GrantsOf::Everybody).await?, [bare.clone(), with_refresh.clone()], "oldest first");
    assert_eq!(store.grants(&GrantsOf::Subject("b".into())).await?, std::slice::from_ref(&bare));
    assert_eq!(store.grants(&GrantsOf::Subject("B".into())).await?, []);
    assert_eq!(store.grants(&GrantsOf::Client(client_id(1))).await?, [with_refresh]);
    assert_eq!(store.grants(&GrantsOf::Client(client_id(2))).await?, [bare]);
    Ok(())
}

async fn a_code_is_redeemed_whole_or_not(store: &dyn IssuerStore) -> Result<(), StoreError> {
    redeemed(store, 1).await?;
    let again = store.redeem_code(&code(1).id, grant(2), access(2, 2)).await?;
    assert_eq!(again, Redemption::UsedBefore(grant_id(1)));
    assert_eq!(store.find_grant(&grant_id(2)).await?, None);
    assert_eq!(store.find_access(&access(2, 2).id).await?, None);
    let _ = store.insert_code(code(3)).await?;
    assert_eq!(store.redeem_code(&code(3).id, grant(1), access(1, 3)).await?, Redemption::IdTaken);
    assert_eq!(store.find_code(&code(3).id).await?, Some(code(3)), "it is as good as before");
    assert_eq!(store.find_access(&access(1, 3).id).await?, None);
    assert_eq!(store.redeem_code(&code(3).id, grant(3), access(3, 3)).await?, Redemption::Redeemed);
    Ok(())
}

async fn a_rotation_needs_its_generation(store: &dyn IssuerStore) -> Result<(), StoreError> {
    redeemed(store, 1).await?;
    assert_eq!(store.rotate(rotation(1, 1), access(1, 2)).await?, Rotated::Lost);
    assert_eq!(store.rotate(rotation(1, 0), access(1, 2)).await?, Rotated::Rotated);
    assert_eq!(store.rotate(rotation(1, 0), access(1, 3)).await?, Rotated::Lost);
    let rotated =
        GrantRecord { refresh: Some(state(1)), refreshed_at: at(NOW + 5), expires_at: at(NOW + 31 * DAY), ..grant(1) };
    assert_eq!(store.find_grant(&grant_id(1)).await?.as_ref(), Some(&rotated));
    assert_eq!(store.find_access(&access(1, 2).id).await?, Some((access(1, 2), rotated)));
    assert_eq!(store.find_access(&access(1, 3).id).await?, None, "what lost leaves nothing behind");
    assert_eq!(store.insert_access(access(1, 4), 0).await?, Rotated::Lost);
    assert_eq!(store.insert_access(access(1, 4), 1).await?, Rotated::Rotated);
    assert!(
        store.find_access(&access(1, 4).id).await?.is_some() && store.find_access(&access(1, 1).id).await?.is_some()
    );
    store.revoke_grant(&grant_id(1), revoked(NOW, RevokedBecause::Asked)).await?;
    assert_eq!(store.rotate(rotation(1, 1), access(1, 5)).await?, Rotated::Lost);
    assert_eq!(store.insert_access(access(1, 5), 1).await?, Rotated::Lost);
    Ok(())
}

async fn what_is_revoked_stays_so(store: &dyn IssuerStore) -> Result<(), StoreError> {
    redeemed(store, 1).await?;
    redeemed(store, 2).await?;
    let reused = revoked(NOW + 3, RevokedBecause::RefreshReused);
    assert_eq!(store.revoke_grant(&grant_id(1), reused).await?, Revocation::Revoked);
    let later = revoked(NOW + 4, RevokedBecause::ByClient);
    assert_eq!(store.revoke_grant(&grant_id(1), later).await?, Revocation::AlreadyRevoked);
    let found = store.find_access(&access(1, 1).id).await?.map(|(_, grant)| grant.revoked);
    assert_eq!(found, Some(Some(reused)), "the first time and reason stand, and are seen beside the token");
    assert!(store.revoke_access(&access(2, 2).id, at(NOW + 5)).await?);
    assert!(!store.revoke_access(&access(2, 2).id, at(NOW + 6)).await?);
    let expected = AccessRecord { revoked_at: Some(at(NOW + 5)), ..access(2, 2) };
    assert_eq!(store.find_access(&access(2, 2).id).await?, Some((expected, grant(2))));
    Ok(())
}

async fn a_subject_is_cut_off_whole(store: &dyn IssuerStore) -> Result<(), StoreError> {
    redeemed(store, 1).await?;
    redeemed(store, 2).await?;
    store.revoke_grant(&grant_id(2), revoked(NOW, RevokedBecause::ByClient)).await?;
    let _ = store.insert_code(code(3)).await?;
    let other = CodeRecord { subject: "bob".into(), ..code(4) };
    let _ = store.insert_code(other.clone()).await?;
    let why = revoked(NOW + 9, RevokedBecause::Asked);
    assert_eq!(store.revoke_subject(ODD, why).await?, 1, "one was revoked before");
    assert_eq!(store.find_grant(&grant_id(1)).await?.and_then(|grant| grant.revoked), Some(why));
    assert_eq!(store.find_code(&code(3).id).await?, None);
    assert_eq!(store.find_code(&other.id).await?, Some(other));
    assert!(store.find_code(&code(1).id).await?.is_some());
    Ok(())
}

async fn an_assertion_is_used_once(store: &dyn IssuerStore) -> Result<(), StoreError> {
    let (one, other) = (KeyHash::new([7; 32]), KeyHash::new([8; 32]));
    assert_eq!(store.remember_assertion(&one, at(NOW)).await?, Insertion::Inserted);
    assert_eq!(store.remember_assertion(&one, at(NOW + 9)).await?, Insertion::IdTaken);
    assert_eq!(store.remember_assertion(&other, at(NOW)).await?, Insertion::Inserted);
    Ok(())
}

async fn what_is_of_no_use_is_swept(store: &dyn IssuerStore) -> Result<(), StoreError> {
    // 1 has a live grant, 2 an old one, 3 a code that is still good, 4 was seen not long ago, 5 is
    // young, 6 is shut out by its URL, 7 is of no use, and so is its document.
    for number in [1, 2, 3, 4, 7] {
        let _ = store.admit_client(client(number), room(100)).await?;
    }
    let young = ClientRecord { created_at: at(NOW + 60 * DAY), ..client(5) };
    let banned = ClientRecord { revoked_at: Some(at(NOW)), ..document("https://a.example/6") };
    for one in [young, banned.clone(), document("https://a.example/7")] {
        let _ = store.admit_client(one, room(100)).await?;
    }
    let operators = ClientRecord { kind: ClientKind::PreRegistered, created_at: at(0), ..client(100) };
    let _ = store.insert_client(operators).await?;
    redeemed(store, 1).await?;
    redeemed(store, 2).await?;
    let long = Rotation { expires_at: at(NOW + 90 * DAY), ..rotation(1, 0) };
    let recent = AccessRecord { expires_at: at(NOW + 60 * DAY), ..access(1, 11) };
    let _ = store.rotate(long, recent).await?;
    let _ = store.insert_code(CodeRecord { expires_at: at(NOW + 70 * DAY), ..code(3) }).await?;
    store.see_client(&client_id(4), at(NOW + 50 * DAY)).await?;
    let _ = store.remember_assertion(&KeyHash::new([1; 32]), at(NOW + 60 * DAY)).await?;
    let _ = store.remember_assertion(&KeyHash::new([2; 32]), at(NOW + 60 * DAY + 1)).await?;

    let stale = Stale {
        now: at(NOW + 60 * DAY),
        tokens_before: at(NOW + 59 * DAY),
        grants_before: at(NOW + 40 * DAY),
        clients_before: at(NOW + 30 * DAY),
    };
    let swept = Swept { codes: 2, access_tokens: 2, grants: 1, clients: 3, assertions: 1 };
    assert_eq!(store.sweep(stale).await?, swept);
    assert_eq!(store.sweep(stale).await?, Swept::default(), "once is enough");
    let clients = store.clients(ClientKind::Registered).await?;
    let left: Vec<_> = clients.iter().map(|client| client.id.clone()).collect();
    assert_eq!(left, [1, 3, 4, 5].map(client_id));
    assert_eq!(store.clients(ClientKind::Document).await?, [banned]);
    assert_eq!(store.count_clients(ClientKind::PreRegistered).await?, 1);
    assert!(store.find_access(&access(1, 11).id).await?.is_some());
    assert!(store.find_code(&code(3).id).await?.is_some());
    let remembered = store.remember_assertion(&KeyHash::new([2; 32]), at(NOW)).await?;
    assert_eq!(remembered, Insertion::IdTaken);
    // A grant that was revoked long ago goes with its tokens, however long they would be good.
    store.revoke_grant(&grant_id(1), revoked(NOW + 61 * DAY, RevokedBecause::Asked)).await?;
    let later = Stale { now: at(NOW + 62 * DAY), grants_before: at(NOW + 62 * DAY), ..stale };
    let swept = store.sweep(later).await?;
    assert_eq!((swept.grants, swept.access_tokens), (1, 1));
    assert_eq!(store.find_access(&access(1, 11).id).await?, None);
    Ok(())
}

async fn of_many_redemptions_one_counts(store: Arc<dyn IssuerStore>) -> Result<(), StoreError> {
    let _ = store.insert_code(code(1)).await?;
    let tasks: Vec<_> = (0..CROWD)
        .map(|number| {
            let store = store.clone();
            let number = u32::try_from(number).unwrap_or_default() + 1;
            tokio::spawn(async move { store.redeem_code(&code(1).id, grant(number), access(number, number)).await })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("no verb panics")?);
    }
    assert_eq!(results.iter().filter(|result| **result == Redemption::Redeemed).count(), 1);
    let winner = store.find_code(&code(1).id).await?.and_then(|code| code.redeemed_for);
    let losers = results.iter().filter(|result| **result != Redemption::Redeemed);
    for loser in losers {
        assert_eq!(Some(loser), winner.clone().map(Redemption::UsedBefore).as_ref());
    }
    assert_eq!(store.grants(&GrantsOf::Everybody).await?.len(), 1, "one grant, and none of the others");
    Ok(())
}

async fn of_many_rotations_one_counts(store: Arc<dyn IssuerStore>) -> Result<(), StoreError> {
    redeemed(&*store, 1).await?;
    let tasks: Vec<_> = (0..CROWD)
        .map(|number| {
            let store = store.clone();
            let number = u32::try_from(number).unwrap_or_default() + 10;
            tokio::spawn(async move { store.rotate(rotation(1, 0), access(1, number)).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.expect("no verb panics")? == Rotated::Rotated);
    }
    assert_eq!(won, 1);
    let state = store.find_grant(&grant_id(1)).await?.and_then(|grant| grant.refresh);
    assert_eq!(state.map(|state| state.generation), Some(1));
    Ok(())
}

async fn of_many_admissions_no_more_than_room(store: Arc<dyn IssuerStore>) -> Result<(), StoreError> {
    const ROOM: u64 = 3;
    let tasks: Vec<_> = (0..CROWD)
        .map(|number| {
            let store = store.clone();
            let number = u32::try_from(number).unwrap_or_default();
            tokio::spawn(async move { store.admit_client(client(number), room(ROOM)).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no verb panics")?, Admission::Admitted);
    }
    assert_eq!(store.count_clients(ClientKind::Registered).await?, ROOM);
    Ok(())
}
