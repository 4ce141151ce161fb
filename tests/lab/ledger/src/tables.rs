//! The judged tables: their columns, keys, and the SQL that follows from these.
//!
//! All values travel as text in the form in which PostgreSQL prints them, so that the digest of a row is the same
//! whether the writer computes it from what it sends or the server from what it holds.

use std::fmt::Write as _;

use Form::{Bytes, Large, Text, Time};
use Given::{Application, Database};

/// How a column enters the row's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its text.
    Text,
    /// A point in time: ISO 8601 in UTC with microseconds, without a zone.
    Time,
    /// The SHA-256 of its text.
    Large,
    /// The SHA-256 of its bytes; sent as hexadecimal text.
    Bytes,
}

/// Who decides a column's value on INSERT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The application sends it.
    Application,
    /// The database fills it in: identity, default, generated column.
    Database,
}

/// A column, its version column aside.
#[derive(Debug)]
pub struct Column {
    /// The name, quoted.
    pub name: &'static str,
    /// The type to which the text is cast.
    pub sql_type: &'static str,
    /// How it enters the digest.
    pub form: Form,
    /// Who gives the value on INSERT.
    pub given: Given,
}

/// A judged table. Every one has a column `lock_version`: 1 on INSERT, one more with each UPDATE.
#[derive(Debug)]
pub struct Table {
    /// Its place in [`TABLES`], which stands for it in the record.
    pub number: u8,
    /// Schema and name, quoted.
    pub relation: &'static str,
    /// All columns except `lock_version`.
    pub columns: &'static [Column],
    /// Columns of the key under which the record and the judge know a row.
    pub key: &'static [usize],
    /// Columns by which statements find a row; with a table that has no key they may find several equal ones.
    pub locator: &'static [usize],
}

const fn column(name: &'static str, sql_type: &'static str, form: Form) -> Column {
    Column {
        name,
        sql_type,
        form,
        given: Application,
    }
}

const fn filled(name: &'static str, sql_type: &'static str) -> Column {
    Column {
        name,
        sql_type,
        form: Text,
        given: Database,
    }
}

/// `shop.customers`: identity.
pub const CUSTOMERS: Table = Table {
    number: 0,
    relation: "shop.customers",
    columns: &[
        filled("id", "bigint"),
        column("reference", "text", Text),
        column("name", "varchar", Text),
        column("email", "shop.email_address", Text),
        column("tier", "shop.tier", Text),
        column("tags", "text[]", Text),
        column("profile", "jsonb", Text),
        column("balance", "numeric(14,2)", Text),
        column("birthday", "date", Text),
        column("created_at", "timestamptz", Time),
    ],
    key: &[1],
    locator: &[0],
};

/// `shop.orders`: serial, foreign key with cascading deletes.
pub const ORDERS: Table = Table {
    number: 1,
    relation: "shop.orders",
    columns: &[
        filled("id", "bigint"),
        column("customer_id", "bigint", Text),
        column("status", "shop.\"Order Status\"", Text),
        column("coupon", "text", Text),
        column("note", "text", Text),
        column("placed_at", "timestamptz", Time),
    ],
    key: &[0],
    locator: &[0],
};

/// `shop."Order Lines"`: composite key, generated column.
pub const LINES: Table = Table {
    number: 2,
    relation: "shop.\"Order Lines\"",
    columns: &[
        column("\"Order Id\"", "bigint", Text),
        column("\"line's number\"", "smallint", Text),
        column("sku", "text", Text),
        column("\"select\"", "text", Text),
        column("quantity", "integer", Text),
        column("price", "numeric(10,2)", Text),
        filled("total", "numeric"),
    ],
    key: &[0, 1],
    locator: &[0, 1],
};

/// `shop.products`: text key, which changes.
pub const PRODUCTS: Table = Table {
    number: 3,
    relation: "shop.products",
    columns: &[
        column("sku", "text", Text),
        column("title", "text", Text),
        column("dimensions", "numeric(6,2)[]", Text),
        column("attributes", "jsonb", Text),
    ],
    key: &[0],
    locator: &[0],
};

/// `shop.stock_levels`: a unique index over NOT NULL columns, no primary key.
pub const STOCK: Table = Table {
    number: 4,
    relation: "shop.stock_levels",
    columns: &[
        column("warehouse", "text", Text),
        column("sku", "text", Text),
        column("quantity", "integer", Text),
        column("counted_at", "timestamptz", Time),
    ],
    key: &[0, 1],
    locator: &[0, 1],
};

/// `audit.events`: no key, equal rows.
pub const EVENTS: Table = Table {
    number: 5,
    relation: "audit.events",
    columns: &[
        column("reference", "text", Text),
        column("kind", "text", Text),
        column("detail", "jsonb", Text),
        column("happened_at", "timestamptz", Time),
    ],
    key: &[0],
    locator: &[0],
};

/// `shop.measurements`: partitioned by time, one partition again by region.
pub const MEASUREMENTS: Table = Table {
    number: 6,
    relation: "shop.measurements",
    columns: &[
        column("sensor", "text", Text),
        column("reading", "bigint", Text),
        column("region", "text", Text),
        column("recorded_at", "timestamptz", Time),
        column("\"Value\"", "numeric", Text),
    ],
    key: &[0, 1],
    locator: &[0, 1],
};

/// `shop.documents`: large values.
pub const DOCUMENTS: Table = Table {
    number: 7,
    relation: "shop.documents",
    columns: &[
        filled("id", "integer"),
        column("reference", "text", Text),
        column("title", "text", Text),
        column("body", "text", Large),
        column("scan", "bytea", Bytes),
    ],
    key: &[1],
    locator: &[0],
};

/// `shop.invoices`: numbered by a sequence that it shares with the credit notes.
pub const INVOICES: Table = Table {
    number: 8,
    relation: "shop.invoices",
    columns: &[
        filled("number", "bigint"),
        column("currency", "char(3)", Text),
        column("amount", "numeric(14,2)", Text),
    ],
    key: &[0],
    locator: &[0],
};

/// `shop.credit_notes`: see [`INVOICES`].
pub const CREDIT_NOTES: Table = Table {
    number: 9,
    relation: "shop.credit_notes",
    columns: &[
        filled("number", "bigint"),
        column("amount", "numeric(14,2)", Text),
        column("reason", "text", Text),
    ],
    key: &[0],
    locator: &[0],
};

/// `audit."Tickets"`: numbered downwards by a sequence that no column owns.
pub const TICKETS: Table = Table {
    number: 10,
    relation: "audit.\"Tickets\"",
    columns: &[filled("\"Number\"", "bigint"), column("subject", "text", Text)],
    key: &[0],
    locator: &[0],
};

/// `shop.work_batches`: one row; its version is the generation of the rows in [`WORK`].
pub const BATCHES: Table = Table {
    number: 11,
    relation: "shop.work_batches",
    columns: &[column("id", "integer", Text)],
    key: &[0],
    locator: &[0],
};

/// `audit.rogue`: what the rogue writer writes.
pub const ROGUE: Table = Table {
    number: 12,
    relation: "audit.rogue",
    columns: &[
        filled("id", "bigint"),
        column("reference", "text", Text),
        column("payload", "text", Text),
    ],
    key: &[1],
    locator: &[0],
};

/// `shop.work_items`: truncated and filled again as a whole, so all rows of a generation count as one row.
pub const WORK: Table = Table {
    number: 13,
    relation: "shop.work_items",
    columns: &[],
    key: &[],
    locator: &[],
};

/// All judged tables, by number.
pub const TABLES: [&Table; 14] = [
    &CUSTOMERS,
    &ORDERS,
    &LINES,
    &PRODUCTS,
    &STOCK,
    &EVENTS,
    &MEASUREMENTS,
    &DOCUMENTS,
    &INVOICES,
    &CREDIT_NOTES,
    &TICKETS,
    &BATCHES,
    &ROGUE,
    &WORK,
];

const WORK_CONTENT: &str = include_str!("work_content.sql");

impl Column {
    fn canonical(&self) -> String {
        let name = self.name;
        match self.form {
            Text => format!("{name}::text"),
            Time => format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"),
            Large => format!("encode(sha256(convert_to({name}, 'UTF8')), 'hex')"),
            Bytes => format!("encode(sha256({name}), 'hex')"),
        }
    }

    fn parameter(&self, number: usize) -> String {
        match self.form {
            Bytes => format!("decode(${number}::text, 'hex')"),
            _ => format!("${number}::text::{}", self.sql_type),
        }
    }
}

impl Table {
    /// Which columns the application gives on INSERT, in order.
    pub fn application_columns(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|&index| self.columns[index].given == Application)
    }

    /// Which columns the database fills in, in order.
    pub fn database_columns(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|&index| self.columns[index].given == Database)
    }

    /// INSERT of one row: parameters are the application's columns, results those of the database.
    #[must_use]
    pub fn insert_sql(&self) -> String {
        let columns: Vec<_> = self.application_columns().collect();
        let names: Vec<_> = columns.iter().map(|&index| self.columns[index].name).collect();
        let values: Vec<_> = columns
            .iter()
            .zip(1..)
            .map(|(&index, n)| self.columns[index].parameter(n))
            .collect();
        let returned = self.returned();
        format!(
            "INSERT INTO {} ({}) VALUES ({}){returned}",
            self.relation,
            names.join(", "),
            values.join(", ")
        )
    }

    /// SELECT FOR UPDATE of the rows in which `by` equal the parameters: `lock_version`, then every column in its
    /// canonical form.
    #[must_use]
    pub fn lock_sql(&self, by: &[usize]) -> String {
        let columns: Vec<_> = self.columns.iter().map(Column::canonical).collect();
        let condition = self.condition(by, 1);
        format!(
            "SELECT lock_version, {} FROM {}{condition} FOR UPDATE",
            columns.join(", "),
            self.relation
        )
    }

    /// UPDATE of the columns `changed` (first parameters) in the located rows (last parameters) to the next
    /// version, or to version 1 where the row gets a new key.
    #[must_use]
    pub fn update_sql(&self, changed: &[usize]) -> String {
        let version = if changed.iter().any(|index| self.key.contains(index)) {
            "1"
        } else {
            "lock_version + 1"
        };
        let mut sql = format!("UPDATE {} SET lock_version = {version}", self.relation);
        for (&index, number) in changed.iter().zip(1..) {
            let column = &self.columns[index];
            // Writing to a String cannot fail.
            let _ = write!(sql, ", {} = {}", column.name, column.parameter(number));
        }
        sql + &self.condition(self.locator, changed.len() + 1) + &self.returned()
    }

    /// DELETE of the located rows.
    #[must_use]
    pub fn delete_sql(&self) -> String {
        format!("DELETE FROM {}{}", self.relation, self.condition(self.locator, 1))
    }

    /// What the table holds: key, version, digest in hexadecimal, and the number of equal rows.
    #[must_use]
    pub fn content_sql(&self) -> String {
        if self.number == WORK.number {
            return WORK_CONTENT.to_owned();
        }
        let key: Vec<_> = self
            .key
            .iter()
            .map(|&index| format!("{}::text", self.columns[index].name))
            .collect();
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|column| format!("coalesce({}, '~')", column.canonical()))
            .collect();
        format!(
            "SELECT concat_ws('/', {}), lock_version, \
             left(encode(sha256(convert_to(concat_ws('|', {}), 'UTF8')), 'hex'), 16), count(*) FROM {} GROUP BY 1, 2, 3",
            key.join(", "),
            columns.join(", "),
            self.relation,
        )
    }

    fn condition(&self, by: &[usize], first: usize) -> String {
        let terms: Vec<_> = by
            .iter()
            .zip(first..)
            .map(|(&index, n)| format!("{} = {}", self.columns[index].name, self.columns[index].parameter(n)))
            .collect();
        format!(" WHERE {}", terms.join(" AND "))
    }

    fn returned(&self) -> String {
        let names: Vec<_> = self
            .database_columns()
            .map(|index| self.columns[index].canonical())
            .collect();
        if names.is_empty() {
            String::new()
        } else {
            format!(" RETURNING {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places() {
        assert!(
            TABLES
                .iter()
                .enumerate()
                .all(|(place, table)| usize::from(table.number) == place)
        );
    }

    #[test]
    fn statements_follow_from_the_description() {
        assert_eq!(
            TICKETS.insert_sql(),
            "INSERT INTO audit.\"Tickets\" (subject) VALUES ($1::text::text) RETURNING \"Number\"::text"
        );
        assert_eq!(
            PRODUCTS.update_sql(&[0]),
            "UPDATE shop.products SET lock_version = 1, sku = $1::text::text WHERE sku = $2::text::text"
        );
        assert_eq!(
            STOCK.delete_sql(),
            "DELETE FROM shop.stock_levels WHERE warehouse = $1::text::text AND sku = $2::text::text"
        );
    }
}
