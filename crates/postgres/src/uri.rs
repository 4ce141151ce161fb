//! Connection URIs as libpq has them, of which one host, `sslmode` and `sslrootcert` are understood
//! (<https://www.postgresql.org/docs/current/libpq-connect.html>, "Connection URIs").
use std::path::PathBuf;

use secrecy::SecretString;
use tokio_postgres::config::Host;

use crate::connection::{Connector, Credentials, Endpoint};

/// Why a connection URI is not usable. None of the texts repeats the URI, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum UriError {
    /// It does not begin as one.
    #[error("it does not begin with postgres:// or postgresql://")]
    Scheme,
    /// It is none.
    #[error("it is no connection URI: {0}")]
    Syntax(String),
    /// It names several hosts, or none.
    #[error("it has to name exactly one host")]
    Host,
    /// It has no role.
    #[error("it names no role: postgres://role@host/database")]
    Role,
    /// An `sslmode` that does not check who answers, or an unknown one.
    #[error("sslmode={0} is not supported: verify-full checks who answers, disable does not encrypt")]
    SslMode(String),
    /// Certificates are to be checked, but there are none to check with.
    #[error("sslmode=verify-full needs sslrootcert=FILE, the certificates that are trusted (PEM)")]
    RootCertificate,
    /// The file can't be read.
    #[error("sslrootcert: {path}: {source}")]
    ReadRootCertificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has no usable certificate.
    #[error(transparent)]
    Certificates(#[from] crate::Error),
}

/// What a URI names.
#[derive(Clone, Debug)]
pub struct Uri {
    /// Opens sessions there.
    pub connector: Connector,
    /// The database; that of the role's name where the URI names none.
    pub database: String,
}

/// Reads a URI. `password` counts where the URI has none. `sslmode` is `verify-full` unless the URI says `disable`, or
/// names a socket's folder as host.
///
/// # Errors
/// [`UriError`].
pub fn parse(uri: &str, password: Option<&SecretString>) -> Result<Uri, UriError> {
    if !(uri.starts_with("postgres://") || uri.starts_with("postgresql://")) {
        return Err(UriError::Scheme);
    }
    let (rest, tls) = split(uri);
    let config: tokio_postgres::Config = rest
        .parse()
        .map_err(|error: tokio_postgres::Error| UriError::Syntax(cause(&error)))?;
    let [host] = config.get_hosts() else {
        return Err(UriError::Host);
    };
    let (host, socket) = match host {
        Host::Tcp(host) => (host.clone(), false),
        Host::Unix(folder) => (folder.to_string_lossy().into_owned(), true),
    };
    let username = config.get_user().ok_or(UriError::Role)?.to_owned();
    let given = config.get_password().map(String::from_utf8_lossy);
    let credentials = Credentials {
        password: given
            .map(|given| SecretString::from(given.into_owned()))
            .or_else(|| password.cloned())
            .unwrap_or_default(),
        username: username.clone(),
    };
    let endpoint = Endpoint {
        host,
        port: config.get_ports().first().copied().unwrap_or(5432),
    };
    let database = config.get_dbname().unwrap_or(&username).to_owned();
    let connector = match tls.mode.as_deref() {
        Some("disable") => Connector::unencrypted(endpoint, credentials),
        None if socket => Connector::unencrypted(endpoint, credentials),
        None | Some("verify-full") => {
            let path = tls.root_certificate.ok_or(UriError::RootCertificate)?;
            let pem = std::fs::read(&path).map_err(|source| UriError::ReadRootCertificate { path, source })?;
            Connector::new(endpoint, credentials, &pem)?
        }
        Some(other) => return Err(UriError::SslMode(other.to_owned())),
    };
    Ok(Uri { connector, database })
}

#[derive(Default)]
struct Tls {
    mode: Option<String>,
    root_certificate: Option<PathBuf>,
}

/// The driver knows neither `sslmode=verify-full` nor `sslrootcert`: they are taken out of what it reads.
fn split(uri: &str) -> (String, Tls) {
    let Some((base, query)) = uri.split_once('?') else {
        return (uri.to_owned(), Tls::default());
    };
    let mut tls = Tls::default();
    let mut rest = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "sslmode" => tls.mode = Some(value.into_owned()),
            "sslrootcert" => tls.root_certificate = Some(PathBuf::from(value.into_owned())),
            _ => {
                rest.append_pair(&name, &value);
            }
        }
    }
    // The driver takes a plus sign as it stands, where a form means a space.
    let rest = rest.finish().replace('+', "%20");
    (
        if rest.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{rest}")
        },
        tls,
    )
}

fn cause(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(uri: &str) -> String {
        match parse(uri, Some(&SecretString::from("hidden".to_owned()))) {
            Ok(uri) => format!("{:?} {}", uri.connector, uri.database),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_understood_and_what_is_refused() {
        let table = [
            (
                "postgres://me@db:6543/shop?sslmode=disable",
                "Connector(me@db:6543) shop",
            ),
            (
                "postgresql://me:p%40ss@db/shop?sslmode=disable",
                "Connector(me@db:5432) shop",
            ),
            (
                "postgres://me@%2Frun%2Fpostgresql/shop",
                "Connector(me@/run/postgresql:5432) shop",
            ),
            ("postgres://me@db?sslmode=disable", "Connector(me@db:5432) me"),
            ("host=db user=me", "it does not begin with postgres:// or postgresql://"),
            (
                "postgres://me@a,b/shop?sslmode=disable",
                "it has to name exactly one host",
            ),
            (
                "postgres://db/shop?sslmode=disable",
                "it names no role: postgres://role@host/database",
            ),
            (
                "postgres://me@db/shop?sslmode=require",
                "sslmode=require is not supported: verify-full checks who answers, disable does not encrypt",
            ),
            (
                "postgres://me@db/shop",
                "sslmode=verify-full needs sslrootcert=FILE, the certificates that are trusted (PEM)",
            ),
            (
                "postgres://me@db/shop?sslrootcert=/nowhere/ca.pem",
                "sslrootcert: /nowhere/ca.pem: No such file or directory (os error 2)",
            ),
            (
                "postgres://me:secret@db/shop?nonsense=1",
                "it is no connection URI: unknown option `nonsense`",
            ),
        ];
        for (uri, expected) in table {
            assert_eq!(said(uri), expected, "{uri}");
        }
    }

    #[test]
    fn no_error_repeats_the_password() {
        for uri in [
            "postgres://me:secret@db/shop?port=x",
            "postgres://me:secret@db:x/shop",
            "x://me:secret@db",
        ] {
            assert!(!said(uri).contains("secret"), "{}", said(uri));
        }
    }
}
