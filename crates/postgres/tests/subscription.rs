//! Replication between two real servers, through every state that a subscription goes through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::time::Duration;

use lab_postgres::StopMode;
use pgupgrade_postgres::connection::{Endpoint, Session};
use pgupgrade_postgres::publication::{self, Contents};
use pgupgrade_postgres::subscription::{self, Subscription};
use pgupgrade_postgres::{Error, QualifiedName, barrier, marker, replication, role, schema, slot};
use secrecy::ExposeSecret as _;
use support::{NAME, STREAM, Side, endpoint, eventually};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::PgLsn;

const ROLE: &str = "pgupgrade_6b2f0c1e";
const PATIENCE: Duration = Duration::from_secs(10);

struct Pair {
    source: Side,
    target: Side,
    on_source: Session,
    on_target: Session,
    publisher: Endpoint,
    password: secrecy::SecretString,
}

impl Pair {
    /// Both sides with the same tables; publication and slot on the source.
    async fn start(from: u16, to: u16) -> Self {
        let (source, target) = futures::join!(Side::start(from), Side::start(to));
        let (on_source, on_target) = (source.act().await, target.act().await);
        let password = role::generate_password();
        role::ensure(&on_source, ROLE, &password).await.unwrap();
        for session in [&on_source, &on_target] {
            schema::install_stream(session, STREAM, "owner").await.unwrap();
        }
        let contents = Contents {
            tables: vec![QualifiedName::new("s", "keyed"), QualifiedName::new("s", "part")],
            stream: STREAM,
        };
        publication::create(&on_source, NAME, &contents).await.unwrap();
        slot::create(&on_source, NAME).await.unwrap();
        let publisher = endpoint(&source.scratch);
        Self {
            source,
            target,
            on_source,
            on_target,
            publisher,
            password,
        }
    }

    fn order(&self) -> Subscription<'_> {
        Subscription {
            name: NAME,
            publication: NAME,
            slot: NAME,
            publisher: &self.publisher,
            database: "app",
            role: ROLE,
            password: self.password.expose_secret(),
        }
    }

    async fn state(&self) -> subscription::State {
        let states = subscription::states(&self.on_target).await.unwrap();
        assert_eq!(states.len(), 1);
        states.into_iter().next().unwrap()
    }

    async fn drained(&self, number: i64) {
        marker::write(&self.on_source, STREAM, 1, "forward", number)
            .await
            .unwrap();
        marker::wait(&self.on_target, STREAM, 1, "forward", number, PATIENCE)
            .await
            .unwrap();
        let bumped = barrier::bump(&self.on_source, &[STREAM]).await.unwrap();
        barrier::wait(&self.on_target, STREAM, bumped[0], PATIENCE)
            .await
            .unwrap();
        assert_eq!(barrier::current(&self.on_target, STREAM).await.unwrap(), bumped[0]);
    }
}

async fn a_position_is_kept(from: u16, to: u16) {
    let mut pair = Pair::start(from, to).await;
    pair.source
        .run("INSERT INTO s.keyed VALUES (1, 'before'), (2, 'before')")
        .await;
    pair.target
        .run("INSERT INTO s.keyed VALUES (1, 'before'), (2, 'before')")
        .await;
    let position = slot::current_flush_lsn(&pair.on_source).await.unwrap();
    pair.source.run("INSERT INTO s.keyed VALUES (3, 'after')").await;
    pair.source
        .run("INSERT INTO s.part SELECT g, g FROM generate_series(1, 199) g")
        .await;

    assert!(subscription::create(&pair.on_target, &pair.order()).await.unwrap());
    assert!(
        !subscription::create(&pair.on_target, &pair.order()).await.unwrap(),
        "it is there"
    );
    assert!(!pair.state().await.enabled);
    assert_eq!(
        subscription::origin_position(&pair.on_target, NAME).await.unwrap(),
        None
    );
    subscription::advance_origin(&pair.on_target, NAME, position)
        .await
        .unwrap();

    // The position survives a crash right after it was set.
    pair.target
        .scratch
        .server_mut()
        .stop(StopMode::Immediate)
        .await
        .unwrap();
    pair.target.scratch.server_mut().start().await.unwrap();
    pair.on_target = pair.target.act().await;
    assert_eq!(
        subscription::origin_position(&pair.on_target, NAME).await.unwrap(),
        Some(position)
    );

    subscription::enable(&pair.on_target, NAME).await.unwrap();
    pair.drained(1).await;
    assert_eq!(pair.target.count("SELECT count(*) FROM s.keyed").await, 3);
    assert_eq!(pair.target.count("SELECT count(*) FROM s.part").await, 199);
    let state = pair.state().await;
    assert!(
        state.enabled && state.worker.is_some() && state.received_lsn.is_some(),
        "{state:?}"
    );
    assert_eq!((state.apply_errors, state.sync_errors, state.conflicts), (0, 0, 0));
    let sender = &replication::wal_senders(&pair.on_source).await.unwrap()[0];
    assert_eq!(
        (sender.role.as_deref(), sender.application_name.as_deref()),
        (Some(ROLE), Some(NAME))
    );
    assert_eq!(sender.state.as_deref(), Some("streaming"));
    assert!(
        replication::sample(&pair.on_source, NAME)
            .await
            .unwrap()
            .unwrap()
            .active
    );

    let busy = subscription::advance_origin(&pair.on_target, NAME, position)
        .await
        .unwrap_err();
    assert_eq!(busy.code(), Some(&SqlState::OBJECT_IN_USE));
    let flushed = subscription::flush_origin(&pair.on_target, NAME).await.unwrap();
    assert!(flushed > Some(position));
    subscription::disable(&pair.on_target, NAME, PATIENCE).await.unwrap();
    let state = pair.state().await;
    assert!(!state.enabled && state.worker.is_none(), "{state:?}");
    pair.source.run("INSERT INTO s.keyed VALUES (4, 'while off')").await;
    subscription::enable(&pair.on_target, NAME).await.unwrap();
    pair.drained(2).await;
    assert_eq!(pair.target.count("SELECT count(*) FROM s.keyed").await, 4);

    for _ in 0..2 {
        subscription::drop(&pair.on_target, NAME).await.unwrap();
    }
    subscription::disable_if_exists(&pair.on_target, NAME, PATIENCE)
        .await
        .unwrap();
    assert!(subscription::states(&pair.on_target).await.unwrap().is_empty());
    assert!(
        slot::facts(&pair.on_source, NAME).await.unwrap().is_some(),
        "the slot is the publisher's"
    );
    slot::drop(&pair.on_source, NAME, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn from_17_to_18() {
    a_position_is_kept(17, 18).await;
}

#[tokio::test]
async fn from_14_to_15() {
    a_position_is_kept(14, 15).await;
}

#[tokio::test]
async fn errors_are_counted() {
    let pair = Pair::start(15, 18).await;
    subscription::create(&pair.on_target, &pair.order()).await.unwrap();
    let past = slot::facts(&pair.on_source, NAME)
        .await
        .unwrap()
        .unwrap()
        .confirmed_flush_lsn
        .unwrap();
    subscription::advance_origin(&pair.on_target, NAME, past).await.unwrap();
    pair.target.run("INSERT INTO s.keyed VALUES (1, 'here already')").await;
    pair.source.run("INSERT INTO s.keyed VALUES (1, 'again')").await;
    subscription::enable(&pair.on_target, NAME).await.unwrap();
    eventually("the error is counted", async || pair.state().await.apply_errors > 0).await;
    assert!(pair.state().await.conflicts > 0, "18 tells what it was");
    // The slot of an enabled subscription can be dropped all the same: its walsender is one of our roles'.
    slot::drop(&pair.on_source, NAME, PATIENCE).await.unwrap();
    subscription::drop(&pair.on_target, NAME).await.unwrap();
}

#[tokio::test]
async fn what_can_go_wrong_is_named() {
    let mut pair = Pair::start(17, 18).await;
    let unknown = subscription::advance_origin(&pair.on_target, NAME, PgLsn::from(1))
        .await
        .unwrap_err();
    assert!(matches!(unknown, Error::Unexpected { .. }), "{unknown}");
    let right = std::mem::replace(&mut pair.password, role::generate_password());
    let refused = subscription::create(&pair.on_target, &pair.order()).await.unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("password authentication failed") && text.contains(NAME),
        "{text}"
    );
    assert!(
        !text.contains(pair.password.expose_secret())
            && !format!("{refused:?}").contains(pair.password.expose_secret())
    );
    pair.password = right;
    publication::drop(&pair.on_source, NAME).await.unwrap();
    // The server only warns of a publication that is missing, so that is looked for by whoever made it.
    subscription::create(&pair.on_target, &pair.order()).await.unwrap();
    subscription::drop(&pair.on_target, NAME).await.unwrap();
    let theirs = Subscription {
        name: "theirs",
        ..pair.order()
    };
    assert!(matches!(
        subscription::create(&pair.on_target, &theirs).await,
        Err(Error::Unexpected { .. })
    ));
    assert!(matches!(
        subscription::drop(&pair.on_target, "theirs").await,
        Err(Error::Unexpected { .. })
    ));
}

#[tokio::test]
async fn a_hostile_password_stays_a_password() {
    let pair = Pair::start(17, 17).await;
    let hostile = secrecy::SecretString::from(r"a' host='evil.example' \ ü %20 = ");
    role::ensure(&pair.on_source, ROLE, &hostile).await.unwrap();
    let order = Subscription {
        password: hostile.expose_secret(),
        ..pair.order()
    };
    assert!(subscription::create(&pair.on_target, &order).await.unwrap());
    subscription::enable(&pair.on_target, NAME).await.unwrap();
    pair.drained(1).await;
}
