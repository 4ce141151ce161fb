//! One connection of a writer: statements on rows, each of which tells what it did as an [`Operation`].

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::Error;
use crate::operation::{Digest, Operation, sha256_hex};
use crate::tables::{Form, Table};

/// A value in the form in which it is sent, NULL as none.
pub type Value = Option<String>;

/// A row that was read or written: columns in the form that enters the digest.
#[derive(Clone, Debug)]
pub struct Held {
    version: i32,
    columns: Vec<Value>,
}

/// A connection with the statements prepared on it.
pub struct Session {
    client: Client,
    prepared: HashMap<String, Statement>,
    operations: Vec<Operation>,
}

impl Held {
    /// The row's version.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.version
    }

    /// The columns at these places.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Vec<Value> {
        places.iter().map(|&place| self.columns[place].clone()).collect()
    }

    /// A column as text; empty for NULL.
    #[must_use]
    pub fn text(&self, place: usize) -> &str {
        self.columns[place].as_deref().unwrap_or_default()
    }

    fn digest(&self) -> Digest {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|value| value.as_deref().unwrap_or("~"))
            .collect();
        Digest::of(&columns.join("|"))
    }

    fn key(&self, table: &Table) -> String {
        let key: Vec<_> = table.key.iter().map(|&place| self.text(place)).collect();
        key.join("/")
    }

    fn set(&mut self, table: &Table, place: usize, sent: &Value) {
        self.columns[place] = sent.as_ref().map(|text| match table.columns[place].form {
            Form::Text | Form::Time => text.clone(),
            Form::Large => sha256_hex(text.as_bytes()),
            Form::Bytes => sha256_hex(&unhex(text)),
        });
    }

    fn set_returned(&mut self, table: &Table, row: &Row) -> Result<(), Error> {
        for (place, column) in table.database_columns().zip(0..) {
            self.columns[place] = row.try_get(column)?;
        }
        Ok(())
    }
}

impl Session {
    /// Works on this connection.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            prepared: HashMap::new(),
            operations: Vec::new(),
        }
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The connection itself.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs statements without parameters (BEGIN and the like).
    ///
    /// # Errors
    /// As the server says.
    pub async fn run(&mut self, sql: &str) -> Result<(), Error> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// What has been done since this was last asked.
    pub fn take_operations(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.operations)
    }

    /// How many operations there are: what [`Session::forget_from`] takes after a savepoint was rolled back.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.operations.len()
    }

    /// Forgets the operations that came after the mark.
    pub fn forget_from(&mut self, mark: usize) {
        self.operations.truncate(mark);
    }

    /// Adds an operation that was done by other statements.
    pub fn add(&mut self, operation: Operation) {
        self.operations.push(operation);
    }

    /// Runs a prepared statement whose parameters are all text.
    ///
    /// # Errors
    /// As the server says.
    pub async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
        let statement = if let Some(statement) = self.prepared.get(sql) {
            statement.clone()
        } else {
            let statement = self.client.prepare(sql).await?;
            self.prepared.insert(sql.to_owned(), statement.clone());
            statement
        };
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
        Ok(self.client.query(&statement, &parameters).await?)
    }

    /// Inserts `copies` equal rows of the application's columns and gives the (last) row back.
    ///
    /// # Errors
    /// As the server says.
    pub async fn insert(&mut self, table: &Table, values: &[Value], copies: u32) -> Result<Held, Error> {
        let mut held = Held {
            version: 1,
            columns: vec![None; table.columns.len()],
        };
        for (place, value) in table.application_columns().zip(values) {
            held.set(table, place, value);
        }
        for _ in 0..copies {
            let rows = self.query(&table.insert_sql(), values).await?;
            if let Some(row) = rows.first() {
                held.set_returned(table, row)?;
            }
        }
        self.operations
            .push(Operation::insert(table, held.key(table), held.digest(), copies));
        Ok(held)
    }

    /// Locks and reads the rows in which the columns `by` have these values.
    ///
    /// # Errors
    /// As the server says.
    pub async fn lock(&mut self, table: &Table, by: &[usize], values: &[Value]) -> Result<Vec<Held>, Error> {
        let rows = self.query(&table.lock_sql(by), values).await?;
        rows.iter()
            .map(|row| {
                let columns = (1..=table.columns.len())
                    .map(|column| row.try_get(column))
                    .collect::<Result<_, _>>()?;
                Ok(Held {
                    version: row.try_get(0)?,
                    columns,
                })
            })
            .collect()
    }

    /// Reads a row under a lock, then changes some columns of it. Nothing where the row doesn't exist (any more).
    ///
    /// # Errors
    /// As the server says.
    pub async fn update(
        &mut self,
        table: &Table,
        locator: &[Value],
        changes: &[(usize, Value)],
    ) -> Result<Option<Held>, Error> {
        let rows = self.lock(table, table.locator, locator).await?;
        let Some(before) = rows.first() else { return Ok(None) };
        let copies = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let mut after = before.clone();
        let places: Vec<_> = changes.iter().map(|(place, _)| *place).collect();
        for (place, value) in changes {
            after.set(table, *place, value);
        }
        let parameters: Vec<_> = changes.iter().map(|(_, value)| value).chain(locator).cloned().collect();
        let returned = self.query(&table.update_sql(&places), &parameters).await?;
        if let Some(row) = returned.first() {
            after.set_returned(table, row)?;
        }
        if places.iter().any(|place| table.key.contains(place)) {
            after.version = 1;
            self.operations.push(gone(table, before, copies));
            self.operations
                .push(Operation::insert(table, after.key(table), after.digest(), copies));
        } else {
            after.version += 1;
            let digests = (Some(before.digest()), Some(after.digest()));
            self.operations.push(Operation(
                table.number,
                before.key(table),
                after.version,
                digests.0,
                digests.1,
                copies,
            ));
        }
        Ok(Some(after))
    }

    /// Deletes a row. Nothing where it doesn't exist (any more).
    ///
    /// # Errors
    /// As the server says.
    pub async fn delete(&mut self, table: &Table, locator: &[Value]) -> Result<Option<Held>, Error> {
        let rows = self.lock(table, table.locator, locator).await?;
        let Some(before) = rows.first() else { return Ok(None) };
        self.query(&table.delete_sql(), locator).await?;
        self.operations
            .push(gone(table, before, u32::try_from(rows.len()).unwrap_or(u32::MAX)));
        Ok(Some(before.clone()))
    }

    /// Locks the rows that a cascade is about to delete and notes them as deleted.
    ///
    /// # Errors
    /// As the server says.
    pub async fn cascade(&mut self, table: &Table, by: usize, parent: &Value) -> Result<Vec<Held>, Error> {
        let rows = self.lock(table, &[by], std::slice::from_ref(parent)).await?;
        self.operations.extend(rows.iter().map(|row| gone(table, row, 1)));
        Ok(rows)
    }
}

fn gone(table: &Table, before: &Held, copies: u32) -> Operation {
    Operation(
        table.number,
        before.key(table),
        before.version + 1,
        Some(before.digest()),
        None,
        copies,
    )
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .filter_map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok())
        .collect()
}
