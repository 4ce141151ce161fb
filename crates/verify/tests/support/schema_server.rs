//! Servers with the rich schema, ways to them, and a real upgrade.
use lab_postgres::Scratch;
use pgupgrade_postgres::connection::{Connector, Credentials, Endpoint, Profile, Session};
use secrecy::SecretString;
use tokio_postgres::Client;

use super::upgrade::upgraded;

const RICH: &str = include_str!("schema_rich.sql");

pub struct Server {
    /// As superuser, on the database `postgres`.
    pub client: Client,
    /// The same as the engine sees it.
    pub session: Session,
    scratch: Scratch,
}

impl Server {
    pub async fn start(major: u16) -> Self {
        let scratch = Scratch::start(major).await.unwrap();
        Self::of(scratch).await
    }

    /// A server that holds one of everything. A fixed verifier makes the superuser's password the same on all of them;
    /// nobody knows it, so that it comes after the session.
    pub async fn rich(major: u16) -> Self {
        let server = Self::start(major).await;
        server.client.batch_execute(RICH).await.unwrap();
        let same = "UPDATE pg_authid SET rolpassword = (SELECT rolpassword FROM pg_authid WHERE rolname = 'app_owner') \
                    WHERE rolname = 'postgres'";
        server.client.batch_execute(same).await.unwrap();
        server
    }

    async fn of(scratch: Scratch) -> Self {
        let client = scratch.client("postgres").await.unwrap();
        let session = session(&scratch, "postgres", scratch.password()).await;
        Self {
            client,
            session,
            scratch,
        }
    }

    /// One more connection as superuser.
    pub async fn another(&self) -> Client {
        self.scratch.client("postgres").await.unwrap()
    }

    /// A session as another role, which is made with no rights at all.
    pub async fn plain_session(&self) -> Session {
        let make = "CREATE ROLE plain LOGIN PASSWORD 'plain'";
        self.client.batch_execute(make).await.unwrap();
        session(&self.scratch, "plain", "plain").await
    }

    /// What this server becomes by `pg_upgrade`; it runs on itself.
    pub async fn upgraded(&self, major: u16) -> Self {
        let clone = upgraded(&self.scratch, major).await;
        let superuser = clone.client("postgres").await.unwrap();
        let known = "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'";
        let verifier: String = superuser.query_one(known, &[]).await.unwrap().get(0);
        let password = clone.password().to_owned();
        superuser
            .batch_execute(&format!("ALTER ROLE postgres PASSWORD '{password}'"))
            .await
            .unwrap();
        let upgraded = Self::of(clone).await;
        let back = format!("ALTER ROLE postgres PASSWORD '{verifier}'");
        upgraded.client.batch_execute(&back).await.unwrap();
        upgraded
    }
}

async fn session(scratch: &Scratch, role: &str, password: &str) -> Session {
    let endpoint = Endpoint {
        host: scratch.host(),
        port: scratch.port(),
    };
    let credentials = Credentials {
        username: role.to_owned(),
        password: SecretString::from(password.to_owned()),
    };
    let connector = Connector::new(endpoint, credentials, scratch.ca_pem().as_bytes()).unwrap();
    connector.connect("postgres", Profile::Long).await.unwrap()
}
