//! Rows that were never written like this are reported, and never taken for something else.

use bridgehead_auth::{
    StoreError,
    issuer::{ClientKind, GrantId, GrantsOf},
};
use bridgehead_stores::StoreUrl;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::desk::{Desk, access, settings};

#[tokio::test]
async fn damaged_rows_are_reported() {
    for damage in [
        "UPDATE oauth_client SET kind = 'friend'",
        "UPDATE oauth_client SET metadata = '{}'",
        "UPDATE oauth_client SET registration_pepper = NULL",
        "UPDATE oauth_code SET endpoint = 'No Endpoint'",
        "UPDATE oauth_code SET pepper_version = 'v1'",
        "UPDATE oauth_code SET grant_id = 'short'",
        "UPDATE oauth_grant SET scopes = 'a\"b'",
        "UPDATE oauth_grant SET generation = -1",
        "UPDATE oauth_grant SET issuer_key = NULL",
        "UPDATE oauth_grant SET revoked_at = 1",
        "UPDATE oauth_grant SET revoked_at = 1, revoked_why = 'moods'",
        "UPDATE oauth_grant SET client = 'nobody'",
        "UPDATE oauth_access_token SET expires_at = 9223372036854775807",
        "DROP TABLE oauth_access_token",
    ] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("bridgehead.db");
        let desk = Desk::on(&StoreUrl::Sqlite(path.clone()), settings(), Some(directory)).await;
        let client = desk.public_client().await;
        let code = desk.code(&client, &[]).await;
        let tokens = desk.redeem(&client, &code).await.unwrap();
        let mut stranger = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        sqlx::query(damage).execute(&mut stranger).await.unwrap();
        stranger.close().await.unwrap();

        let store = &desk.store.issuer;
        let errors = [
            store.clients(ClientKind::Registered).await.err(),
            store.find_client(&tokens.issued.client).await.err(),
            store.find_code(&code[4..16]).await.err(),
            store.grants(&GrantsOf::Everybody).await.err(),
            store.find_grant(&GrantId::parse(tokens.issued.grant.as_str()).unwrap()).await.err(),
            store.find_access(&access(&tokens)[4..16]).await.err(),
        ];
        let corrupt = |error: &StoreError| matches!(error, StoreError::Corrupt { .. });
        let reported = errors.iter().flatten().filter(|error| corrupt(error)).count();
        assert!(reported > 0, "{damage}: {errors:?}");
        assert!(errors.iter().flatten().all(corrupt), "{damage}: {errors:?}");
    }
}
