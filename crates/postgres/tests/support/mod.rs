//! Servers with an application's schema, and an operator with the privileges that are asked of users: no superuser
//! where the version allows it.
#![allow(dead_code, reason = "each test binary uses a part")]

use lab_postgres::Scratch;
use pgupgrade_postgres::connection::{Connector, Credentials, Endpoint, Profile, Session};
use secrecy::SecretString;

pub const OPERATOR_PASSWORD: &str = "op'era\\tor ü";
pub const STREAM: &str = "main";
pub const NAME: &str = "pgupgrade_6b2f0c1e_a1_main";

pub fn endpoint(scratch: &Scratch) -> Endpoint {
    Endpoint {
        host: scratch.host(),
        port: scratch.port(),
    }
}

pub fn credentials(username: &str, password: &str) -> Credentials {
    Credentials {
        username: username.to_owned(),
        password: SecretString::from(password),
    }
}

/// As superuser.
pub fn connector(scratch: &Scratch) -> Connector {
    connector_as(scratch, "postgres", scratch.password())
}

pub fn connector_as(scratch: &Scratch, username: &str, password: &str) -> Connector {
    Connector::new(
        endpoint(scratch),
        credentials(username, password),
        scratch.ca_pem().as_bytes(),
    )
    .unwrap()
}

/// A server with the database `app`, and the operator's way to it.
pub struct Side {
    pub scratch: Scratch,
    pub operator: Connector,
}

impl Side {
    pub async fn start(major: u16) -> Self {
        Self::start_with(major, &[]).await
    }

    pub async fn start_with(major: u16, parameters: &[(&str, &str)]) -> Self {
        let scratch = Scratch::start_with(major, parameters).await.unwrap();
        prepare(&scratch, major).await;
        let operator = connector_as(&scratch, "op", OPERATOR_PASSWORD);
        Self { scratch, operator }
    }

    /// A session of the operator.
    pub async fn session(&self, profile: Profile) -> Session {
        self.operator.connect("app", profile).await.unwrap()
    }

    pub async fn act(&self) -> Session {
        self.session(Profile::Act).await
    }

    /// A session of the superuser in the application's database.
    pub async fn admin(&self) -> lab_postgres::Client {
        self.scratch.client("app").await.unwrap()
    }

    pub async fn run(&self, script: &str) {
        self.admin().await.batch_execute(script).await.unwrap();
    }

    pub async fn count(&self, query: &str) -> i64 {
        self.admin().await.query_one(query, &[]).await.unwrap().get(0)
    }
}

async fn prepare(scratch: &Scratch, major: u16) {
    let admin = scratch.client("postgres").await.unwrap();
    admin.batch_execute("CREATE DATABASE app").await.unwrap();
    let admin = scratch.client("app").await.unwrap();
    let password = pgupgrade_postgres::quote_literal(OPERATOR_PASSWORD);
    admin
        .batch_execute(&include_str!("operator.sql").replace("{password}", &password))
        .await
        .unwrap();
    // Up to 15 only a superuser may create a subscription; RDS lets its own administrator.
    let more = if major >= 16 {
        "GRANT pg_create_subscription TO op"
    } else {
        "ALTER ROLE op SUPERUSER"
    };
    admin.batch_execute(more).await.unwrap();
    admin.batch_execute(include_str!("schema.sql")).await.unwrap();
}

/// Makes one test for each version from one function.
#[macro_export]
macro_rules! on_versions {
    ($function:ident: $($name:ident = $major:literal),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                $function($major).await;
            }
        )+
    };
}

/// Tries until it holds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds().await {
        assert!(start.elapsed() < std::time::Duration::from_secs(30), "{what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
