//! How the application finds its database: from the environment, as Pods get it from a Secret.

use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use crate::record::Answering;

const CONNECT_SECONDS: u64 = 3;
const STATEMENT_SECONDS: u64 = 5;

/// The database as the environment names it.
#[derive(Clone)]
pub struct Database {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    address: String,
}

impl Database {
    /// Reads `DATABASE_URL` (a URI), or else `DB_HOST`, `DB_PORT`, `DB_NAME`, `DB_USER` and `DB_PASSWORD`; and
    /// `DATABASE_CA`, the file of the certificate authority. With the latter, or an `sslmode` above `prefer`,
    /// connections are encrypted and the server's certificate and name are always verified.
    ///
    /// # Errors
    /// Something is missing or malformed, or the file can't be read.
    pub fn from_environment() -> Result<Self, Error> {
        let ca = env::var_os("DATABASE_CA").map(PathBuf::from);
        match env::var("DATABASE_URL") {
            Ok(uri) => Self::from_uri(&uri, ca.as_deref()),
            Err(_) => Self::new(from_parts(|name| env::var(name).ok())?, ca.as_deref()),
        }
    }

    /// The database of a connection URI; `sslrootcert` in it names the authority's file where `ca` doesn't.
    ///
    /// # Errors
    /// As with [`Database::from_environment`].
    pub fn from_uri(uri: &str, ca: Option<&Path>) -> Result<Self, Error> {
        let (config, named) = parse_uri(uri)?;
        Self::new(config, ca.or(named.as_deref()))
    }

    fn new(mut config: Config, ca: Option<&Path>) -> Result<Self, Error> {
        let tls = match (ca, config.get_ssl_mode()) {
            (_, SslMode::Disable) | (None, SslMode::Prefer) => {
                config.ssl_mode(SslMode::Disable);
                None
            }
            (Some(path), _) => {
                config.ssl_mode(SslMode::Require);
                Some(verifying(path)?)
            }
            (None, _) => {
                let problem = "sslmode asks for TLS; name the authority's certificate file in DATABASE_CA";
                return Err(Error::Environment(problem.into()));
            }
        };
        config
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
            .tcp_user_timeout(Duration::from_secs(STATEMENT_SECONDS))
            .options(format!(
                "-c TimeZone=UTC -c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout=2s"
            ));
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            _ => return Err(Error::Environment("the connection names no host".into())),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        Ok(Self {
            config,
            tls,
            address: format!("{host}:{port}"),
        })
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Opens a connection, whose work goes on in a task of its own until the client is dropped.
    ///
    /// # Errors
    /// The server can't be reached in time or refuses.
    pub async fn connect(&self, application_name: &str) -> Result<Client, Error> {
        let mut config = self.config.clone();
        config.application_name(application_name);
        let connecting = async {
            match self.tls.clone() {
                Some(tls) => config.connect(tls).await.map(|(client, connection)| {
                    tokio::spawn(connection);
                    client
                }),
                None => config.connect(NoTls).await.map(|(client, connection)| {
                    tokio::spawn(connection);
                    client
                }),
            }
        };
        let connected = timeout(Duration::from_secs(CONNECT_SECONDS), connecting).await;
        Ok(connected.map_err(|_| Error::Timeout(CONNECT_SECONDS, "connecting"))??)
    }

    /// Asks the server who it is.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub async fn answering(&self, client: &Client) -> Result<Answering, Error> {
        let sql =
            "SELECT current_setting('server_version_num')::integer, system_identifier::text FROM pg_control_system()";
        let row = client.query_one(sql, &[]).await?;
        Ok(Answering {
            address: self.address.clone(),
            version: row.try_get(0)?,
            system: row.try_get(1)?,
        })
    }
}

/// Reads a URI as libpq does, with the parameters that tokio-postgres doesn't know: the verifying modes (here every
/// encrypted connection verifies) and the authority's file.
fn parse_uri(uri: &str) -> Result<(Config, Option<PathBuf>), Error> {
    let (base, parameters) = uri.split_once('?').unwrap_or((uri, ""));
    let mut kept = Vec::new();
    let mut ca = None;
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter {
            "sslmode=verify-full" | "sslmode=verify-ca" => kept.push("sslmode=require"),
            _ => match parameter.strip_prefix("sslrootcert=") {
                Some(path) => ca = Some(PathBuf::from(path)),
                None => kept.push(parameter),
            },
        }
    }
    let kept = if kept.is_empty() {
        String::new()
    } else {
        format!("?{}", kept.join("&"))
    };
    let config = Config::from_str(&format!("{base}{kept}"))
        .map_err(|_| Error::Environment("DATABASE_URL is not a connection URI".into()))?;
    Ok((config, ca))
}

fn from_parts(variable: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
    let need = |name: &str| {
        variable(name).ok_or_else(|| Error::Environment(format!("set DATABASE_URL, or {name} and its companions")))
    };
    let port = variable("DB_PORT").unwrap_or_else(|| "5432".into());
    let port = port
        .parse()
        .map_err(|_| Error::Environment(format!("DB_PORT {port:?} is not a port")))?;
    let mut config = Config::new();
    config
        .host(need("DB_HOST")?)
        .port(port)
        .dbname(need("DB_NAME")?)
        .user(need("DB_USER")?);
    config.password(need("DB_PASSWORD")?);
    Ok(config)
}

fn verifying(ca: &Path) -> Result<MakeRustlsConnect, Error> {
    let malformed = |error: &dyn std::fmt::Display| {
        Error::Environment(format!(
            "{} is not a file of certificates in PEM form: {error}",
            ca.display()
        ))
    };
    let pem = std::fs::read(ca).map_err(|error| Error::file(ca, error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots
            .add(certificate.map_err(|error| malformed(&error))?)
            .map_err(|error| malformed(&error))?;
    }
    if roots.is_empty() {
        return Err(malformed(&"it holds none"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| malformed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_a_connection() {
        let parts = |name: &str| match name {
            "DB_HOST" => Some("127.0.0.9".to_owned()),
            "DB_PORT" => Some("6543".to_owned()),
            "DB_NAME" | "DB_USER" | "DB_PASSWORD" => Some("shop".to_owned()),
            _ => None,
        };
        let database = Database::new(from_parts(parts).unwrap(), None).unwrap();
        assert_eq!(database.address(), "127.0.0.9:6543");
    }

    #[test]
    fn tls_without_an_authority_is_refused() {
        let error = Database::from_uri("postgres://u:secret@h/d?sslmode=verify-full", None)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("DATABASE_CA") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_uri_may_be_written_for_libpq() {
        let (config, ca) = parse_uri("postgres://u@h/d?sslmode=verify-ca&sslrootcert=/ca.crt&keepalives=1").unwrap();
        assert_eq!((config.get_ssl_mode(), ca), (SslMode::Require, Some("/ca.crt".into())));
        assert!(parse_uri("postgres://u@h:port/d").is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = from_parts(|name| (name != "DB_USER").then(|| "5".to_owned()))
            .err()
            .unwrap();
        assert!(error.to_string().contains("DB_USER"));
    }
}
