//! A server with an application's roles and tables, and an operator that is no superuser.
#![allow(dead_code, reason = "each test binary uses a part")]
use std::time::Duration;

use lab_postgres::Scratch;
use pgupgrade_postgres::fence::{Cutover, Order};
use pgupgrade_postgres::guard::{self, Body, Patience};
use pgupgrade_postgres::owner::{self, Claim};
use tokio_postgres::{Client, NoTls};

pub struct Lab {
    pub op: Client,
    pub reaper: Client,
    pub claim: Claim,
    pub scratch: Scratch,
}

pub const UID: &str = "6b2f0c1e-58aa-4f7e-9d5f-0123456789ab";

impl Lab {
    /// A database that is claimed, with nothing guarded yet.
    pub async fn start(major: u16) -> Self {
        let mut scratch = Scratch::start(major).await.unwrap();
        trust(&mut scratch);
        let admin = scratch.client("postgres").await.unwrap();
        admin.batch_execute("CREATE DATABASE app").await.unwrap();
        let admin = scratch.client("app").await.unwrap();
        admin.batch_execute(include_str!("schema.sql")).await.unwrap();
        admin.batch_execute("GRANT CREATE ON DATABASE app TO op").await.unwrap();
        let op = connect(&scratch, "op").await;
        let reaper = connect(&scratch, "op").await;
        let claim = owner::claim(&op, "ns/shop", UID, "cluster").await.unwrap();
        Self {
            op,
            reaper,
            claim,
            scratch,
        }
    }

    /// The same with the idle guard on all tables.
    pub async fn prepared(major: u16) -> Self {
        let lab = Self::start(major).await;
        guard::prepare(&lab.op, &lab.claim, Body::Idle, &Patience::default())
            .await
            .unwrap();
        lab
    }

    pub async fn connect(&self, role: &str) -> Client {
        connect(&self.scratch, role).await
    }

    pub async fn admin(&self) -> Client {
        self.scratch.client("app").await.unwrap()
    }

    pub fn order(&self, cutover: i32, hold: Duration) -> Order {
        Order {
            cutover: Cutover {
                uid: self.claim.uid.clone(),
                attempt: 1,
                cutover,
            },
            target: "the-new-one".to_owned(),
            hold,
            grace: Duration::from_millis(100),
            patience: Duration::from_secs(5),
            markers: Vec::new(),
        }
    }
}

/// Roles without a password may connect.
fn trust(scratch: &mut Scratch) {
    let options = scratch.server_mut().options_mut();
    options.host_rules = format!("host all all 127.0.0.1/32 trust\n{}", options.host_rules);
    scratch.server().reload().unwrap();
}

async fn connect(scratch: &Scratch, role: &str) -> Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host(scratch.host())
        .port(scratch.port())
        .user(role)
        .dbname("app");
    let mut left = 50;
    loop {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return client;
            }
            // The new rules are not read at once.
            Err(_) if left > 0 => left -= 1,
            Err(error) => panic!("{role}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The SQLSTATE that a statement fails with.
pub async fn sqlstate(client: &Client, statement: &str) -> String {
    let error = client.batch_execute(statement).await.expect_err(statement);
    error.code().map(|code| code.code().to_owned()).unwrap_or_default()
}

pub async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}
