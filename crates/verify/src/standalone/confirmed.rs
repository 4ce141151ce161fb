//! Until when the target can still be sent changes of our tables.
use std::time::{Duration, Instant};

use pgupgrade_postgres::connection::Session;
use pgupgrade_postgres::slot;

use crate::Error;
use crate::side::{Side, sql};

const PAUSE: Duration = Duration::from_millis(20);

/// Waits until the subscriber has confirmed everything that was committed on the source before the call: none of that is
/// ever sent to it again, whatever happens to its worker. Returns whether it has within the time. Where there is no such
/// slot, a new one begins later than that.
pub(super) async fn wait(source: &Session, name: &str, patience: Duration) -> Result<bool, Error> {
    until(source, name, "confirmed_flush_lsn >= $2", patience).await
}

/// As [`wait`], and the subscriber is there.
pub(super) async fn wait_for_subscriber(source: &Session, name: &str, patience: Duration) -> Result<bool, Error> {
    until(source, name, "active AND confirmed_flush_lsn >= $2", patience).await
}

async fn until(source: &Session, name: &str, condition: &str, patience: Duration) -> Result<bool, Error> {
    let end = slot::current_flush_lsn(source).await?;
    let query = format!("SELECT {condition} FROM pg_replication_slots WHERE slot_name = $1");
    let step = format!("reading the position of slot {name}");
    let statement = source.prepare(&query).await.map_err(sql(Side::Source, &step))?;
    let start = Instant::now();
    loop {
        let row = source.query_opt(&statement, &[&name, &end]).await;
        match row.map_err(sql(Side::Source, &step))? {
            None => return Ok(true),
            Some(row) if row.get::<_, Option<bool>>(0) == Some(true) => return Ok(true),
            Some(_) if start.elapsed() >= patience => return Ok(false),
            Some(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
