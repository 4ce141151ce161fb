//! Large objects: owner, privileges and a hash of the content, which the server makes page by page.
use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{TryStreamExt, pin_mut};
use pgupgrade_postgres::connection::Session;

use super::object::Texts;
use super::text;
use super::version::for_major;
use super::{Finding, Severity};
use crate::Error;
use crate::side::{Side, sql};

const ALL: &str = include_str!("../../sql/schema_large_objects.sql");
const OWNED: &str = include_str!("../../sql/schema_large_objects_owned.sql");
const WITHOUT_CONTENT: &str = include_str!("../../sql/schema_large_objects_metadata.sql");

/// Findings that name an object; the others are counted.
const NAMED: usize = 20;

/// A large object. There may be millions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LargeObject {
    owner: Arc<str>,
    privileges: Arc<str>,
    content: Content,
}

/// What a large object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// Bytes and a hash of them.
    Read(i64, Arc<str>),
    NotReadable,
    NotAsked,
}

/// The large objects of a side by OID.
#[derive(Clone, Debug, Default)]
pub(super) struct LargeObjects(BTreeMap<u32, LargeObject>);

/// Reads the large objects within the transaction of a fingerprint.
pub(super) async fn read(
    session: &Session,
    side: Side,
    content: bool,
    texts: &mut Texts,
) -> Result<LargeObjects, Error> {
    let step = "reading large objects";
    let statement = if !content {
        WITHOUT_CONTENT
    } else if may_read_all(session, side).await? {
        ALL
    } else {
        OWNED
    };
    let statement = for_major(statement, session.major());
    let none: [&str; 0] = [];
    let rows = session.query_raw(&statement, none).await.map_err(sql(side, step))?;
    pin_mut!(rows);
    let mut found = BTreeMap::new();
    while let Some(row) = rows.try_next().await.map_err(sql(side, step))? {
        let readable: bool = row.get("readable");
        let content = if !content {
            Content::NotAsked
        } else if readable {
            Content::Read(row.get("bytes"), row.get::<_, &str>("digest").into())
        } else {
            Content::NotReadable
        };
        let object = LargeObject {
            owner: texts.get(row.get("owner")),
            privileges: texts.get(row.get("privileges")),
            content,
        };
        found.insert(row.get("oid"), object);
    }
    Ok(LargeObjects(found))
}

async fn may_read_all(session: &Session, side: Side) -> Result<bool, Error> {
    let query = "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')";
    let row = session
        .query_one(query, &[])
        .await
        .map_err(sql(side, "asking whether large objects may be read"))?;
    Ok(row.get(0))
}

impl LargeObjects {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What differs, object by object for the first few.
    pub(super) fn compare(&self, target: &Self) -> Vec<Finding> {
        let mut different = Vec::new();
        let mut unread = Vec::new();
        for (oid, source) in &self.0 {
            match target.0.get(oid) {
                None => different.push((*oid, "missing on the target".to_owned())),
                Some(target) => source.compare(*oid, target, &mut different, &mut unread),
            }
        }
        let extra = target.0.keys().filter(|oid| !self.0.contains_key(oid));
        different.extend(extra.map(|oid| (*oid, "only on the target".to_owned())));
        let mut findings = named(different, Severity::Different);
        findings.extend(named(unread, Severity::NotReadable));
        findings
    }
}

fn named(mut all: Vec<(u32, String)>, severity: Severity) -> Vec<Finding> {
    let finding = |object, detail| Finding {
        kind: "large object",
        object,
        detail,
        severity,
    };
    let more = all.split_off(all.len().min(NAMED)).len();
    let mut findings: Vec<Finding> = all
        .into_iter()
        .map(|(oid, detail)| finding(oid.to_string(), detail))
        .collect();
    if more > 0 {
        findings.push(finding(format!("and {more} more"), "the same or the like".to_owned()));
    }
    findings
}

impl LargeObject {
    fn compare(&self, oid: u32, target: &Self, different: &mut Vec<(u32, String)>, unread: &mut Vec<(u32, String)>) {
        let mut attribute = |name: &str, source: &str, target: &str| {
            if source != target {
                different.push((oid, text::sentence(name, Some(source), Some(target))));
            }
        };
        attribute("owner", &self.owner, &target.owner);
        attribute("privileges", &self.privileges, &target.privileges);
        match (&self.content, &target.content) {
            (Content::Read(source, source_hash), Content::Read(target, target_hash)) => {
                attribute("bytes", &source.to_string(), &target.to_string());
                if source == target {
                    attribute("content", source_hash, target_hash);
                }
            }
            (Content::NotAsked, _) | (_, Content::NotAsked) => {}
            (source, _) => {
                let side = if *source == Content::NotReadable {
                    "source"
                } else {
                    "target"
                };
                let detail = format!(
                    "content: not readable on the {side}; grant SELECT on the large object or on pg_largeobject"
                );
                unread.push((oid, detail));
            }
        }
    }
}
