//! A session and its settings, which are made here and nowhere else.
use std::ops::Deref;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_postgres::Client;

use crate::Error;
use crate::connection::{Endpoint, Profile};
use crate::error::describe;

/// How long the connection of a dropped session may take to end by itself. A statement that still runs is abandoned
/// then: the server notices by `client_connection_check_interval`.
const GRACE: Duration = Duration::from_secs(2);

const SETTINGS: &str = include_str!("../sql/session.sql");

impl Profile {
    /// `lock_timeout`, `statement_timeout`, `idle_in_transaction_session_timeout`, `default_transaction_read_only`.
    fn settings(self) -> [(&'static str, &'static str); 4] {
        let (lock, statement, idle, read_only) = match self {
            Self::Observe => ("2s", "60s", "60s", "on"),
            Self::Act => ("5s", "60s", "10s", "off"),
            Self::Fence => ("500ms", "5s", "500ms", "off"),
            Self::Long => ("10s", "24h", "5min", "off"),
        };
        [
            ("lock_timeout", lock),
            ("statement_timeout", statement),
            ("idle_in_transaction_session_timeout", idle),
            ("default_transaction_read_only", read_only),
        ]
    }

    /// The statements that a session begins with.
    fn script(self) -> String {
        let mut script = SETTINGS.to_owned();
        for (name, value) in self.settings() {
            script.push_str("SET ");
            script.push_str(name);
            script.push_str(" = '");
            script.push_str(value);
            script.push_str("';\n");
        }
        script
    }
}

/// A session in one database; derefs to the driver's client. Dropping it ends the connection.
#[derive(Debug)]
pub struct Session {
    client: Client,
    endpoint: Endpoint,
    database: String,
    version: i32,
    // Dropped with the session, which the connection's task notices.
    _alive: oneshot::Sender<()>,
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Session {
    /// Takes over a fresh connection, and applies the settings.
    pub(crate) async fn begin<C>(
        client: Client,
        connection: C,
        endpoint: Endpoint,
        database: &str,
        profile: Profile,
    ) -> Result<Self, Error>
    where
        C: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    {
        let (alive, dropped) = oneshot::channel();
        tokio::spawn(run(connection, dropped, endpoint.clone()));
        let mut session = Self {
            client,
            endpoint,
            database: database.to_owned(),
            version: 0,
            _alive: alive,
        };
        let step = "preparing the session";
        session
            .batch_execute(&profile.script())
            .await
            .map_err(session.failed(step))?;
        let version = "SELECT current_setting('server_version_num')::int4";
        session.version = session
            .query_one(version, &[])
            .await
            .map_err(session.failed(step))?
            .get(0);
        Ok(session)
    }

    /// Where the session is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// In which database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The server's major version: 17.
    #[must_use]
    pub fn major(&self) -> i32 {
        self.version / 10_000
    }

    /// The server's `server_version_num`: 170011.
    #[must_use]
    pub fn version_num(&self) -> i32 {
        self.version
    }

    /// For `map_err`: names the step, the server and the database.
    pub fn failed(&self, step: &str) -> impl FnOnce(tokio_postgres::Error) -> Error + use<> {
        let (step, endpoint, database) = (step.to_owned(), self.endpoint.clone(), self.database.clone());
        move |source| Error::Sql {
            step,
            endpoint,
            database,
            detail: describe(&source),
            source,
        }
    }

    pub(crate) fn unexpected(&self, step: impl Into<String>, detail: impl Into<String>) -> Error {
        Error::Unexpected {
            step: step.into(),
            endpoint: self.endpoint.clone(),
            database: self.database.clone(),
            detail: detail.into(),
        }
    }

    pub(crate) fn late(&self, step: impl Into<String>, waited: Duration, state: impl Into<String>) -> Error {
        Error::Deadline {
            step: step.into(),
            endpoint: self.endpoint.clone(),
            database: self.database.clone(),
            waited,
            state: state.into(),
        }
    }
}

/// Drives the connection until it ends, or for a short while after its session was dropped.
async fn run<C>(connection: C, dropped: oneshot::Receiver<()>, endpoint: Endpoint)
where
    C: Future<Output = Result<(), tokio_postgres::Error>>,
{
    let given_up = async {
        let _ = dropped.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%endpoint, %error, "connection ended");
            }
        }
        () = given_up => tracing::debug!(%endpoint, "connection abandoned"),
    }
}
