//! The shop's database: an Aurora cluster of the local RDS, made by plain calls of the SDK.
use std::time::Duration;

use aws_sdk_rds::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_rds::types::{ApplyMethod, Parameter, Tag};
use lab_ledger::connection::Database;
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::{Error, NAMESPACE, World};

/// The source cluster's identifier.
pub const SOURCE: &str = "shop-prod";
/// Its database.
pub const DATABASE: &str = "shop";
/// Its master user.
pub const MASTER: &str = "shop_admin";
/// The master user's password.
pub const MASTER_PASSWORD: &str = "M4ster-of-the-shop";
/// The application's role, which owns the tables.
pub(crate) const APPLICATION: &str = "shop_app";
pub(crate) const APPLICATION_PASSWORD: &str = "w:rd/p@ss%20";

const LIMIT: Duration = Duration::from_mins(2);

/// A client of the local RDS.
pub(crate) fn client(url: &str) -> aws_sdk_rds::Client {
    let credentials = Credentials::new("local", "local", None, None, "local");
    let config = aws_sdk_rds::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(credentials)
        .build();
    aws_sdk_rds::Client::from_conf(config)
}

fn aws<E: std::error::Error>(error: E) -> Error {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    Error::Aws(text)
}

impl World {
    /// Makes the source with its schema and content.
    pub(crate) async fn create_source(&self) -> Result<(), Error> {
        let version = lab_postgres::Binaries::fetch(self.options.from)
            .await
            .map_err(lab_rds::Error::from)?
            .version()
            .to_owned();
        let group = format!("{SOURCE}-parameters");
        let family = format!("aurora-postgresql{}", self.options.from);
        self.aws
            .create_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(&group)
            .db_parameter_group_family(family)
            .description("the shop's")
            .send()
            .await
            .map_err(aws)?;
        if self.options.logical {
            self.aws
                .modify_db_cluster_parameter_group()
                .db_cluster_parameter_group_name(&group)
                .parameters(parameter("rds.logical_replication", "1"))
                .send()
                .await
                .map_err(aws)?;
        }
        self.aws
            .create_db_cluster()
            .db_cluster_identifier(SOURCE)
            .engine("aurora-postgresql")
            .engine_version(version)
            .master_username(MASTER)
            .master_user_password(MASTER_PASSWORD)
            .database_name(DATABASE)
            .db_cluster_parameter_group_name(&group)
            .tags(
                Tag::builder()
                    .key("pgupgrade.dev/allowed-namespaces")
                    .value(NAMESPACE)
                    .build(),
            )
            .send()
            .await
            .map_err(aws)?;
        self.wait_for_cluster(SOURCE).await?;
        self.aws
            .create_db_instance()
            .db_instance_identifier(format!("{SOURCE}-1"))
            .db_cluster_identifier(SOURCE)
            .engine("aurora-postgresql")
            .db_instance_class("db.r8g.large")
            .send()
            .await
            .map_err(aws)?;
        self.wait_for_instance(&format!("{SOURCE}-1")).await?;
        self.fill_source().await
    }

    async fn fill_source(&self) -> Result<(), Error> {
        let admin = self.connect(SOURCE, MASTER, MASTER_PASSWORD).await?;
        let roles = format!(
            "CREATE ROLE {APPLICATION} LOGIN PASSWORD '{APPLICATION_PASSWORD}'; GRANT {APPLICATION} TO {MASTER}; \
             GRANT CREATE ON DATABASE {DATABASE} TO {APPLICATION}"
        );
        admin.batch_execute(&roles).await?;
        let owner = self.connect(SOURCE, APPLICATION, APPLICATION_PASSWORD).await?;
        owner.batch_execute("SET statement_timeout = 0").await?;
        lab_ledger::create_schema(&owner).await?;
        lab_ledger::fill(&owner, self.options.megabytes).await?;
        lab_ledger::judge::content::write_baseline(&self.ledger, &owner).await?;
        Ok(())
    }

    /// The URI of a cluster's database for a role.
    ///
    /// # Errors
    /// Where there is no such cluster.
    pub async fn uri(&self, cluster: &str, user: &str, password: &str) -> Result<String, Error> {
        let (host, port) = self.endpoint(cluster).await?;
        Ok(format!(
            "postgresql://{user}:{}@{host}:{port}/{DATABASE}?sslmode=verify-full",
            escape(password)
        ))
    }

    /// The URI that the application's Secret holds at first.
    ///
    /// # Errors
    /// Where there is no such cluster.
    pub async fn application_uri(&self, cluster: &str) -> Result<String, Error> {
        self.uri(cluster, APPLICATION, APPLICATION_PASSWORD).await
    }

    /// A verified connection to a cluster's database.
    ///
    /// # Errors
    /// Where it can't be reached.
    pub async fn connect(&self, cluster: &str, user: &str, password: &str) -> Result<Client, Error> {
        let database = Database::from_uri(&self.uri(cluster, user, password).await?, Some(&self.ca_file()))?;
        Ok(database.connect("world").await?)
    }

    /// The master user's connection to a cluster's database.
    ///
    /// # Errors
    /// Where it can't be reached.
    pub async fn admin(&self, cluster: &str) -> Result<Client, Error> {
        self.connect(cluster, MASTER, MASTER_PASSWORD).await
    }

    /// Host and port of a cluster.
    ///
    /// # Errors
    /// Where there is no such cluster.
    pub async fn endpoint(&self, cluster: &str) -> Result<(String, u16), Error> {
        let found = self
            .aws
            .describe_db_clusters()
            .db_cluster_identifier(cluster)
            .send()
            .await
            .map_err(aws)?;
        let found = found
            .db_clusters()
            .first()
            .ok_or_else(|| Error::Unexpected(format!("no cluster {cluster}")))?;
        let host = found.endpoint().unwrap_or_default().to_owned();
        Ok((
            host,
            found.port().and_then(|port| u16::try_from(port).ok()).unwrap_or(5432),
        ))
    }

    /// Identifiers of all clusters.
    ///
    /// # Errors
    /// Where the local RDS does not answer.
    pub async fn clusters(&self) -> Result<Vec<String>, Error> {
        let found = self.aws.describe_db_clusters().send().await.map_err(aws)?;
        Ok(found
            .db_clusters()
            .iter()
            .filter_map(|cluster| cluster.db_cluster_identifier().map(str::to_owned))
            .collect())
    }

    async fn wait_for_cluster(&self, identifier: &str) -> Result<(), Error> {
        let until = Instant::now() + LIMIT;
        loop {
            let found = self
                .aws
                .describe_db_clusters()
                .db_cluster_identifier(identifier)
                .send()
                .await
                .map_err(aws)?;
            let status = found
                .db_clusters()
                .first()
                .and_then(|cluster| cluster.status())
                .unwrap_or_default()
                .to_owned();
            if status == "available" {
                return Ok(());
            }
            pause(until, &format!("cluster {identifier}"), status).await?;
        }
    }

    async fn wait_for_instance(&self, identifier: &str) -> Result<(), Error> {
        let until = Instant::now() + LIMIT;
        loop {
            let found = self
                .aws
                .describe_db_instances()
                .db_instance_identifier(identifier)
                .send()
                .await
                .map_err(aws)?;
            let status = found
                .db_instances()
                .first()
                .and_then(|instance| instance.db_instance_status())
                .unwrap_or_default();
            if status == "available" {
                return Ok(());
            }
            pause(until, &format!("instance {identifier}"), status.to_owned()).await?;
        }
    }
}

async fn pause(until: Instant, what: &str, seen: String) -> Result<(), Error> {
    if Instant::now() > until {
        return Err(Error::Deadline {
            what: what.to_owned(),
            waited: LIMIT,
            seen,
        });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(())
}

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter::builder()
        .parameter_name(name)
        .parameter_value(value)
        .apply_method(ApplyMethod::PendingReboot)
        .build()
}

/// Percent-encodes what may not stand in a URI's userinfo (RFC 3986, section 3.2.1).
fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            all + char::from(byte).to_string().as_str()
        }
        _ => format!("{all}%{byte:02X}"),
    })
}
