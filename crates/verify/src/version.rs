//! The catalogue as older servers have it.
use std::borrow::Cow;

use tokio_postgres::Client;

use crate::Error;
use crate::side::{Side, sql};

/// What a query for PostgreSQL 14 and later says, what an older server understands instead, and from which version on
/// it is as said.
const REPLACEMENTS: [(&str, &str, i32); 3] = [
    ("m.rngmultitypid = t.oid", "false", 140_000),
    ("a.attgenerated <> 'v'", "true", 120_000),
    ("i.indnkeyatts", "i.indnatts", 110_000),
];

/// `server_version_num`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(i32);

impl Version {
    /// The version of a server.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub(crate) async fn read(client: &Client, side: Side) -> Result<Self, Error> {
        let query = "SELECT current_setting('server_version_num')::int";
        let row = client
            .query_one(query, &[])
            .await
            .map_err(sql(side, "reading the version"))?;
        Ok(Self(row.get(0)))
    }

    /// A query of the catalogue for this version.
    pub(crate) fn adapt(self, query: &'static str) -> Cow<'static, str> {
        REPLACEMENTS.iter().filter(|(_, _, since)| self.0 < *since).fold(
            Cow::Borrowed(query),
            |query, (new, old, _)| {
                if query.contains(new) {
                    query.replace(new, old).into()
                } else {
                    query
                }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_older_servers_get_another_query() {
        let query = "SELECT WHERE a.attgenerated <> 'v' AND i.indnkeyatts > 0";
        assert!(matches!(Version(140_005).adapt(query), Cow::Borrowed(_)));
        assert_eq!(Version(110_022).adapt(query), "SELECT WHERE true AND i.indnkeyatts > 0");
        assert_eq!(Version(100_023).adapt(query), "SELECT WHERE true AND i.indnatts > 0");
    }
}
