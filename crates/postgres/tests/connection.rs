//! Sessions on real servers: what is trusted, what is refused and how it is named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::time::{Duration, Instant};

use lab_postgres::{Authority, Scratch, free_port};
use pgupgrade_postgres::Error;
use pgupgrade_postgres::connection::{Connector, Profile};
use support::{connector, credentials, endpoint};
use tokio_postgres::error::SqlState;

async fn refusal(connector: &Connector, database: &str) -> Error {
    connector
        .connect(database, Profile::Observe)
        .await
        .expect_err("no session")
}

#[tokio::test]
async fn a_session_has_its_settings() {
    let scratch = Scratch::start(17).await.unwrap();
    let connector = connector(&scratch);
    let shown = async |profile, name: &str| -> String {
        let session = connector.connect("postgres", profile).await.unwrap();
        session
            .query_one("SELECT current_setting($1)", &[&name])
            .await
            .unwrap()
            .get(0)
    };
    for (profile, name, value) in [
        (Profile::Act, "synchronous_commit", "on"),
        (Profile::Act, "default_transaction_isolation", "read committed"),
        (Profile::Act, "search_path", "pg_catalog"),
        (Profile::Act, "application_name", "pgupgrade"),
        (Profile::Act, "default_transaction_read_only", "off"),
        (Profile::Act, "client_connection_check_interval", "2s"),
        (Profile::Observe, "default_transaction_read_only", "on"),
        (Profile::Fence, "idle_in_transaction_session_timeout", "500ms"),
        (Profile::Long, "statement_timeout", "1d"),
    ] {
        assert_eq!(shown(profile, name).await, value, "{profile:?} {name}");
    }
    let session = connector.connect("postgres", Profile::Observe).await.unwrap();
    assert_eq!(session.major(), 17);
    let ssl: bool = session
        .query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    assert!(ssl);
}

#[tokio::test]
async fn what_is_wrong_with_a_connection_is_told_apart() {
    let scratch = Scratch::start(18).await.unwrap();
    let good = connector(&scratch);
    assert!(
        matches!(refusal(&good, "nowhere").await, Error::DatabaseMissing { database, .. } if database == "nowhere")
    );

    let wrong = Connector::new(
        endpoint(&scratch),
        credentials("postgres", "guess"),
        scratch.ca_pem().as_bytes(),
    )
    .unwrap();
    let error = refusal(&wrong, "postgres").await;
    assert!(
        matches!(&error, Error::PasswordRefused { username, .. } if username == "postgres"),
        "{error}"
    );
    assert!(!error.to_string().contains("guess") && !format!("{error:?} {wrong:?}").contains("guess"));

    let other = Authority::create().unwrap();
    let strange = Connector::new(
        endpoint(&scratch),
        credentials("postgres", scratch.password()),
        other.ca_pem().as_bytes(),
    );
    let error = refusal(&strange.unwrap(), "postgres").await;
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");

    // The certificate is for 127.0.0.1, not for this name.
    let mut named = endpoint(&scratch);
    named.host = "localhost".to_owned();
    let named = Connector::new(
        named,
        credentials("postgres", scratch.password()),
        scratch.ca_pem().as_bytes(),
    )
    .unwrap();
    let error = refusal(&named, "postgres").await;
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");

    let mut closed = endpoint(&scratch);
    closed.port = free_port().unwrap();
    let closed = Connector::new(closed, credentials("postgres", "x"), scratch.ca_pem().as_bytes()).unwrap();
    assert!(matches!(refusal(&closed, "postgres").await, Error::Unreachable { .. }));

    let mut nowhere = endpoint(&scratch);
    nowhere.host = "no-such-host.invalid".to_owned();
    let nowhere = Connector::new(nowhere, credentials("postgres", "x"), scratch.ca_pem().as_bytes()).unwrap();
    assert!(matches!(refusal(&nowhere, "postgres").await, Error::Unreachable { .. }));

    for bundle in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let unusable = Connector::new(endpoint(&scratch), credentials("postgres", "x"), bundle.as_bytes());
        assert!(matches!(unusable, Err(Error::CaBundle { .. })), "{bundle}");
    }
}

#[tokio::test]
async fn a_failed_statement_names_the_place() {
    let scratch = Scratch::start(17).await.unwrap();
    let session = connector(&scratch).connect("postgres", Profile::Observe).await.unwrap();
    let error = session
        .batch_execute("CREATE TABLE public.t ()")
        .await
        .map_err(session.failed("making t"))
        .unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::READ_ONLY_SQL_TRANSACTION));
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "making t at 127.0.0.1:{} (database postgres): ",
            scratch.port()
        )),
        "{text}"
    );
    assert!(text.ends_with("(SQLSTATE 25006)"), "{text}");
}

#[tokio::test]
async fn the_statement_of_a_dropped_session_ends() {
    let scratch = Scratch::start(17).await.unwrap();
    let session = connector(&scratch).connect("postgres", Profile::Long).await.unwrap();
    let abandoned = tokio::time::timeout(
        Duration::from_millis(200),
        session.batch_execute("SELECT pg_sleep(600)"),
    )
    .await;
    assert!(abandoned.is_err());
    drop(session);
    let admin = scratch.client("postgres").await.unwrap();
    let start = Instant::now();
    loop {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgupgrade'";
        if admin.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "the backend goes on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
