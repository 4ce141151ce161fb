//! A started server in a temporary folder, for tests.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use rand::distr::{Alphanumeric, SampleString as _};

use crate::{Authority, Binaries, Client, Error, Folder, Options, Result, Server};

/// A started server with `wal_level=logical` and TLS, superuser `postgres`, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    // Before the folder: fields are dropped in this order.
    server: Server,
    authority: Authority,
    password: String,
    #[allow(dead_code, reason = "held for its drop, which removes it")]
    folder: Folder,
}

impl Scratch {
    /// Starts a server of one major version on 127.0.0.1 and a free port.
    ///
    /// # Errors
    /// As [`Binaries::fetch`], [`Server::create`] and [`Server::start`].
    pub async fn start(major: u16) -> Result<Self> {
        Self::start_with(major, &[]).await
    }

    /// As [`Self::start`] with more configuration parameters.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(major: u16, parameters: &[(&str, &str)]) -> Result<Self> {
        let binaries = Binaries::fetch(major).await?;
        let folder = Folder::create()?;
        let authority = Authority::create()?;
        let identity = authority.issue(IpAddr::V4(Ipv4Addr::LOCALHOST))?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let mut options = Options {
            port: free_port()?,
            password: Some(password.clone()),
            ..Options::default()
        };
        let defaults = [
            ("wal_level", "logical"),
            ("max_connections", "100"),
            ("max_replication_slots", "20"),
            ("max_wal_senders", "20"),
            ("max_prepared_transactions", "10"),
            ("shared_buffers", "32MB"),
        ];
        for (name, value) in defaults.iter().chain(parameters) {
            options.parameters.insert((*name).to_owned(), (*value).to_owned());
        }
        let mut server = Server::create(&binaries, &folder.path().join("pg"), options, Some(&identity)).await?;
        let mut attempts = 0;
        loop {
            match server.start().await {
                // Another process may have taken the port since it was found free.
                Err(Error::Ended { log, .. }) if attempts < 5 && log.contains("Address already in use") => {
                    attempts += 1;
                    server.options_mut().port = free_port()?;
                }
                other => break other?,
            }
        }
        Ok(Self {
            server,
            authority,
            password,
            folder,
        })
    }

    /// The address to connect to.
    #[must_use]
    pub fn host(&self) -> String {
        self.server.options().address.to_string()
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.options().port
    }

    /// The certificate that clients must trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.authority.ca_pem()
    }

    /// The authority itself, for another server of the same trust.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The password of the superuser `postgres` over TCP.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Connects as superuser over the Unix socket.
    ///
    /// # Errors
    /// [`Error::Sql`] when the server refuses.
    pub async fn client(&self, database: &str) -> Result<Client> {
        self.server.connect(database).await
    }

    /// The server itself.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The server itself, to stop, start or change it.
    pub fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// A TCP port of 127.0.0.1 that nothing listens on now. Another process may take it before it is used.
///
/// # Errors
/// [`Error::Io`] when no port is free.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("find a free port"))?;
    Ok(listener.local_addr().map_err(Error::io("find a free port"))?.port())
}
