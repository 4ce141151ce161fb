//! What RDS puts into a new volume: its roles, the master user, its own database, and on Aurora its functions.

use lab_postgres::Result;
use postgres_protocol::escape::escape_identifier;

use super::{RDSADMIN, Volume};

const ROLES: &str = include_str!("../../sql/roles.sql");
const DATABASE: &str = include_str!("../../sql/database.sql");
const AURORA: &str = include_str!("../../sql/aurora.sql");
const LIST: &str = "SELECT datname FROM pg_catalog.pg_database ORDER BY datname";

/// Furnishes a new volume.
pub(super) async fn furnish(volume: &Volume) -> Result<()> {
    refurnish(volume).await?;
    let client = volume.connect("postgres").await?;
    let sql_error = |source| volume.server.sql_error(source);
    let master = escape_identifier(&volume.master.name);
    client
        .batch_execute(&format!("CREATE DATABASE {RDSADMIN}"))
        .await
        .map_err(sql_error)?;
    client
        .batch_execute(&format!("ALTER DATABASE postgres OWNER TO {master}"))
        .await
        .map_err(sql_error)?;
    if let Some(database) = volume.database.as_deref().filter(|name| *name != "postgres") {
        let create = format!("CREATE DATABASE {} OWNER {master}", escape_identifier(database));
        client.batch_execute(&create).await.map_err(sql_error)?;
    }
    Ok(())
}

/// Brings roles and functions to what the server's version has: in a new volume, and after an upgrade.
pub(super) async fn refurnish(volume: &Volume) -> Result<()> {
    let major = volume.server.binaries().major();
    let client = volume.connect("postgres").await?;
    let sql_error = |source| volume.server.sql_error(source);
    client.batch_execute(ROLES).await.map_err(sql_error)?;
    client
        .batch_execute(&master(&volume.master.name, major))
        .await
        .map_err(sql_error)?;
    if major >= 16 {
        client
            .batch_execute(&role_administration(&volume.master.name))
            .await
            .map_err(sql_error)?;
    }
    let rows = client.query(LIST, &[]).await.map_err(sql_error)?;
    client
        .batch_execute("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
        .await
        .map_err(sql_error)?;
    for row in rows {
        let database: String = row.get(0);
        volume.execute(&database, DATABASE).await?;
        if volume.aurora {
            volume.execute(&database, AURORA).await?;
        }
    }
    client
        .batch_execute("ALTER DATABASE template0 ALLOW_CONNECTIONS false")
        .await
        .map_err(sql_error)
}

/// The master user. On 14 and 15 a subscription needs a superuser, which on RDS `rds_superuser` is enough for.
fn master(name: &str, major: u16) -> String {
    let attribute = if major < 16 { "SUPERUSER" } else { "NOSUPERUSER" };
    if major < 16 {
        tracing::info!(
            master = name,
            major,
            "the master user is a superuser, since CREATE SUBSCRIPTION needs one"
        );
    }
    let (literal, name) = (postgres_protocol::escape::escape_literal(name), escape_identifier(name));
    format!(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal}) THEN
             CREATE ROLE {name}; END IF; END $$;
         ALTER ROLE {name} LOGIN CREATEDB CREATEROLE {attribute};
         GRANT rds_superuser TO {name};"
    )
}

/// From 16 on CREATEROLE counts only for roles that one has ADMIN OPTION on: the master gets it on those made before.
fn role_administration(name: &str) -> String {
    let (literal, name) = (postgres_protocol::escape::escape_literal(name), escape_identifier(name));
    format!(
        "DO $$ DECLARE role name; BEGIN
             FOR role IN SELECT rolname FROM pg_catalog.pg_roles
                 WHERE NOT rolsuper AND rolname !~ '^(pg_|rds)' AND rolname <> {literal}
                   AND NOT pg_catalog.pg_has_role({literal}, oid, 'member WITH ADMIN OPTION')
                   AND NOT pg_catalog.pg_has_role(oid, {literal}, 'member') LOOP
                 EXECUTE format('GRANT %I TO %s WITH ADMIN OPTION', role, {target}); END LOOP; END $$;",
        target = postgres_protocol::escape::escape_literal(&name)
    )
}
