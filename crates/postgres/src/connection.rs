//! Opens sessions: TLS that checks the server's certificate and name, timeouts, and errors that say what was wrong.
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use crate::error::connecting;
pub use crate::session::Session;

/// How our sessions call themselves in `pg_stat_activity`.
pub const APPLICATION_NAME: &str = "pgupgrade";

/// For the TCP handshake with one address.
const CONNECT: Duration = Duration::from_secs(5);
/// For TCP, TLS, authentication and the settings together.
const READY: Duration = Duration::from_secs(15);
/// A peer that acknowledges nothing for this long is dead.
const SILENCE: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A DNS name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// Who logs in. `Debug` does not show the password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The role.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// What a session is for; decides its timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Looks only: transactions are read-only, statements end after a minute.
    Observe,
    /// Changes catalogs: waits five seconds for a lock, then is tried again later.
    Act,
    /// Holds the application's tables: nothing takes longer than seconds, a silent operator loses its locks after 500 ms.
    Fence,
    /// Reads or maintains for hours.
    Long,
}

/// Opens sessions on one server as one role.
#[derive(Clone)]
pub struct Connector {
    endpoint: Endpoint,
    username: String,
    config: tokio_postgres::Config,
    /// None: without encryption.
    tls: Option<MakeRustlsConnect>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Connector({}@{})", self.username, self.endpoint)
    }
}

impl Connector {
    /// A connector that trusts the certificates in `ca_pem` and none else, and checks that the server's is for its
    /// host (as libpq's `sslmode=verify-full`).
    ///
    /// # Errors
    /// [`Error::CaBundle`] where the bundle has no certificate or a broken one.
    pub fn new(endpoint: Endpoint, credentials: Credentials, ca_pem: &[u8]) -> Result<Self, Error> {
        let tls = MakeRustlsConnect::new(tls(&endpoint, ca_pem)?);
        Ok(Self::with(endpoint, credentials, Some(tls)))
    }

    /// A connector without encryption, for a socket or a network that needs none (as libpq's `sslmode=disable`).
    #[must_use]
    pub fn unencrypted(endpoint: Endpoint, credentials: Credentials) -> Self {
        Self::with(endpoint, credentials, None)
    }

    fn with(endpoint: Endpoint, credentials: Credentials, tls: Option<MakeRustlsConnect>) -> Self {
        let ssl_mode = if tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        };
        let mut config = tokio_postgres::Config::new();
        config
            .host(&endpoint.host)
            .port(endpoint.port)
            .user(&credentials.username)
            .password(credentials.password.expose_secret())
            .application_name(APPLICATION_NAME)
            .ssl_mode(ssl_mode)
            .connect_timeout(CONNECT)
            .tcp_user_timeout(SILENCE)
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3);
        Self {
            endpoint,
            username: credentials.username,
            config,
            tls,
        }
    }

    /// The server.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The role.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Untrusted`], [`Error::Tls`], [`Error::PasswordRefused`],
    /// [`Error::DatabaseMissing`], [`Error::Refused`], [`Error::Sql`].
    pub async fn connect(&self, database: &str, profile: Profile) -> Result<Session, Error> {
        let mut config = self.config.clone();
        config.dbname(database);
        let open = async {
            let failed = |error| connecting(error, &self.endpoint, database, &self.username);
            let endpoint = self.endpoint.clone();
            if let Some(tls) = self.tls.clone() {
                let (client, connection) = config.connect(tls).await.map_err(failed)?;
                Session::begin(client, connection, endpoint, database, profile).await
            } else {
                let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
                Session::begin(client, connection, endpoint, database, profile).await
            }
        };
        timeout(READY, open).await.unwrap_or_else(|_| {
            Err(Error::Unreachable {
                endpoint: self.endpoint.clone(),
                database: database.to_owned(),
                detail: format!("no session within {} s", READY.as_secs()),
            })
        })
    }
}

fn tls(endpoint: &Endpoint, ca_pem: &[u8]) -> Result<ClientConfig, Error> {
    let unusable = |detail: String| Error::CaBundle {
        endpoint: endpoint.clone(),
        detail,
    };
    let mut roots = RootCertStore::empty();
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(ca_pem).collect();
    let certificates = certificates.map_err(|error| unusable(error.to_string()))?;
    // One old root that the library does not take must not make a whole bundle useless.
    let (usable, ignored) = roots.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err(unusable(format!("none of its {ignored} certificates is usable")));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
