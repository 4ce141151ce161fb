//! Faults in rows, tables, and what is beside them; each is made where no writer writes.
use pgupgrade_verify::Kind::{Changed, Extra, Missing};

use crate::fault::{Fault, Rows, Way};

const WEIRD: &str = "faults.\"Weird \"\"T\"\"\"";
const LOWEST: &str = "id = -9223372036854775808";
const HIGHEST: &str = "id = 9223372036854775807";

pub fn rows() -> Vec<Fault> {
    let mut all = keyed();
    all.extend(keys());
    all.extend(masses());
    all.extend(partitions());
    all.extend(keyless());
    all.extend(applied());
    all.extend(at_the_fence());
    all.extend(beside_rows());
    all.extend(controls());
    all
}

fn keyed() -> Vec<Fault> {
    let kinds = |name, rows: &str, make: &str| Fault::new(name, "faults.kinds", rows, make);
    let mut deleted_before = kinds(
        "row deleted before the slot is created",
        "id = 101",
        "DELETE FROM faults.kinds WHERE id = 101",
    )
    .past_triggers()
    .key("kinds", "id=101", Missing, &[]);
    deleted_before.before_slot = true;
    vec![
        kinds(
            "row deleted",
            "id = 102",
            "DELETE FROM faults.child WHERE id = 102; DELETE FROM faults.kinds WHERE id = 102",
        )
        .key("kinds", "id=102", Missing, &[])
        .key("child", "id=102", Missing, &[])
        .settled("INSERT INTO faults.child VALUES (102, 102)", ""),
        deleted_before,
        kinds(
            "row deleted past its foreign key",
            "id = 103",
            "DELETE FROM faults.kinds WHERE id = 103",
        )
        .past_triggers()
        .key("kinds", "id=103", Missing, &[])
        .by(&[Way::FullPass, Way::ForeignFeed, Way::PinnedPair]),
        kinds(
            "two rows have each other's value",
            "id IN (104, 105)",
            "UPDATE faults.kinds SET n = 209 - n WHERE id IN (104, 105)",
        )
        .keys("kinds", &[("id=104", Changed, &["n"]), ("id=105", Changed, &["n"])]),
        kinds(
            "two columns have each other's value",
            "id = 106",
            "UPDATE faults.kinds SET t = v, v = t WHERE id = 106",
        )
        .key("kinds", "id=106", Changed, &["t", "v"]),
        kinds(
            "moved between two rows, the sum as before",
            "id IN (107, 108)",
            "UPDATE faults.kinds SET num = num + CASE id WHEN 107 THEN 1 ELSE -1 END WHERE id IN (107, 108)",
        )
        .keys("kinds", &[("id=107", Changed, &["num"]), ("id=108", Changed, &["num"])]),
        kinds(
            "the lowest row changed",
            LOWEST,
            "UPDATE faults.kinds SET n = 2 WHERE id = -9223372036854775808",
        )
        .key("kinds", "id=-9223372036854775808", Changed, &["n"]),
        kinds(
            "a row above the highest",
            HIGHEST,
            "INSERT INTO faults.kinds SELECT 9223372036854775807, k.flag FROM faults.kinds k WHERE k.id = 1",
        )
        .key("kinds", "id=9223372036854775807", Extra, &[]),
        kinds(
            "an extra row of NULLs",
            "id = 500",
            "INSERT INTO faults.kinds (id) VALUES (500)",
        )
        .key("kinds", "id=500", Extra, &[]),
        kinds(
            "a row deleted, another inserted",
            "id IN (109, 501)",
            "SET synchronous_commit = off; UPDATE faults.kinds SET id = 501 WHERE id = 109; RESET synchronous_commit",
        )
        .past_triggers()
        .keys("kinds", &[("id=109", Missing, &[]), ("id=501", Extra, &[])]),
    ]
}

fn keys() -> Vec<Fault> {
    vec![
        Fault::new(
            "text key: row deleted",
            WEIRD,
            "v = 7",
            "DELETE FROM faults.\"Weird \"\"T\"\"\" WHERE v = 7",
        )
        .key("Weird \"T\"", "Ke\"y=key 7", Missing, &[]),
        Fault::new(
            "text key: case",
            WEIRD,
            "v = 8",
            "UPDATE faults.\"Weird \"\"T\"\"\" SET \"Ke\"\"y\" = 'KEY 8' WHERE v = 8",
        )
        .keys(
            "Weird \"T\"",
            &[("Ke\"y=key 8", Missing, &[]), ("Ke\"y=KEY 8", Extra, &[])],
        ),
        Fault::new(
            "uuid key: one bit",
            "faults.by_uuid",
            "v = -1",
            "UPDATE faults.by_uuid SET id = '00000000-0000-4000-8000-000000000011' WHERE v = -1",
        )
        .keys(
            "by_uuid",
            &[
                ("id=00000000-0000-4000-8000-000000000010", Missing, &[]),
                ("id=00000000-0000-4000-8000-000000000011", Extra, &[]),
            ],
        ),
        Fault::new(
            "key of two columns",
            "faults.by_pair",
            "a = 5",
            "UPDATE faults.by_pair SET v = 0 WHERE a = 5",
        )
        .key("by_pair", "b=b'5, a=5", Changed, &["v"]),
        Fault::new(
            "key by USING INDEX",
            "faults.by_index",
            "code = 'c5'",
            "UPDATE faults.by_index SET v = v - 1 WHERE code = 'c5'",
        )
        .key("by_index", "code=c5", Changed, &["v"]),
        Fault::new(
            "REPLICA IDENTITY FULL",
            "faults.full_keyed",
            "id = 5",
            "UPDATE faults.full_keyed SET v = '' WHERE id = 5",
        )
        .key("full_keyed", "id=5", Changed, &["v"]),
        Fault::new(
            "numeric key 5.0 to 5.00",
            "faults.by_numeric",
            "id = 5",
            "UPDATE faults.by_numeric SET id = 5.00 WHERE id = 5",
        )
        .keys("by_numeric", &[("id=5.0", Missing, &[]), ("id=5.00", Extra, &[])]),
        Fault::new(
            "citext key: case",
            "faults.by_citext",
            "id = 'key 5'",
            "UPDATE faults.by_citext SET id = 'KEY 5' WHERE id = 'key 5'",
        )
        .keys("by_citext", &[("id=Key 5", Missing, &[]), ("id=KEY 5", Extra, &[])]),
    ]
}

fn masses() -> Vec<Fault> {
    vec![
        Fault::new(
            "1000 rows missing",
            WEIRD,
            "v BETWEEN 1000 AND 1999",
            "DELETE FROM faults.\"Weird \"\"T\"\"\" WHERE v BETWEEN 1000 AND 1999",
        )
        .rows("Weird \"T\"", Rows::Many(1000, Missing)),
        Fault::new("all rows missing", "faults.quiet", "true", "DELETE FROM faults.quiet")
            .rows("quiet", Rows::Many(300, Missing)),
        Fault::new("truncated", "faults.quiet", "true", "TRUNCATE faults.quiet")
            .rows("quiet", Rows::Many(300, Missing)),
        Fault::new(
            "all rows changed",
            "faults.quiet",
            "true",
            "UPDATE faults.quiet SET v = v + 1",
        )
        .past_triggers()
        .rows("quiet", Rows::Many(300, Changed)),
    ]
}

fn partitions() -> Vec<Fault> {
    vec![
        Fault::new(
            "partition: row changed",
            "faults.parts",
            "id = 10 AND region = 'eu'",
            "UPDATE faults.parts SET v = -1 WHERE id = 10 AND region = 'eu'",
        )
        .key("parts_eu", "id=10, region=eu", Changed, &["v"]),
        Fault::new(
            "row moved to another partition",
            "faults.parts",
            "id = 12 AND region <> 'old'",
            "UPDATE faults.parts SET region = 'us' WHERE id = 12 AND region = 'eu'",
        )
        .key("parts_eu", "id=12, region=eu", Missing, &[])
        .key("parts_us", "id=12, region=us", Extra, &[]),
        Fault::new("partition truncated", "faults.parts_old", "true", "TRUNCATE faults.parts_old")
            .rows("parts_old", Rows::Many(100, Missing)),
        Fault::new("partition emptied", "faults.parts_old", "true", "DELETE FROM faults.parts_old")
            .past_triggers()
            .rows("parts_old", Rows::Many(100, Missing)),
        Fault::new(
            "partition changed while detached",
            "faults.parts_old",
            "id = 3",
            "ALTER TABLE faults.parts DETACH PARTITION faults.parts_old; UPDATE faults.parts_old SET v = 0 WHERE id = 3; \
             ALTER TABLE faults.parts ATTACH PARTITION faults.parts_old FOR VALUES IN ('old')",
        )
        .key("parts_old", "id=3, region=old", Changed, &["v"]),
    ]
}

fn keyless() -> Vec<Fault> {
    let log = |name, rows: &str, make: &str, count| {
        Fault::new(name, "faults.log", rows, make)
            .by(&[Way::FullPass, Way::Verdict])
            .rows("log", Rows::Keyless(count))
    };
    let bag = |name, rows: &str, make: &str, count| {
        Fault::new(name, "faults.bag", rows, make)
            .by(&[Way::FullPass, Way::ForeignFeed])
            .rows("bag", Rows::Keyless(count))
    };
    vec![
        log(
            "no key: row doubled",
            "what = 'line 5'",
            "INSERT INTO faults.log SELECT * FROM faults.log WHERE what = 'line 5'",
            1,
        ),
        log(
            "no key: row missing",
            "what = 'line 6'",
            "DELETE FROM faults.log WHERE what = 'line 6'",
            1,
        ),
        log(
            "no key: row extra",
            "what = 'never'",
            "INSERT INTO faults.log VALUES ('2026-01-01', 'never')",
            1,
        ),
        log(
            "no key: row changed",
            "what = 'line 7' OR at = '-infinity'",
            "UPDATE faults.log SET at = '-infinity' WHERE what = 'line 7'",
            1,
        ),
        log(
            "no key: NULL to ''",
            "coalesce(what, '') = ''",
            "UPDATE faults.log SET what = '' WHERE what IS NULL",
            1,
        ),
        log(
            "no key: two rows have each other's value",
            "what IN ('line 10', 'line 11')",
            "UPDATE faults.log SET what = CASE what WHEN 'line 10' THEN 'line 11' ELSE 'line 10' END \
             WHERE what IN ('line 10', 'line 11')",
            1,
        ),
        bag(
            "no key: three of a row instead of two",
            "n = 5",
            "INSERT INTO faults.bag VALUES (5, 'thing 5')",
            1,
        ),
        bag(
            "no key: a row missing, another doubled",
            "n IN (6, 7)",
            "DELETE FROM faults.bag WHERE ctid IN (SELECT ctid FROM faults.bag WHERE n = 6 LIMIT 1); \
             INSERT INTO faults.bag VALUES (7, 'thing 7')",
            1,
        ),
        bag(
            "no key: rows changed",
            "n = 8",
            "UPDATE faults.bag SET what = 'THING 8' WHERE n = 8",
            1,
        ),
    ]
}

/// Replication itself goes wrong, or goes on upon a row that is wrong.
fn applied() -> Vec<Fault> {
    let missing = Fault::undone(
        "UPDATE of a row that is missing",
        "DELETE FROM faults.applied WHERE id = 4",
        "",
    );
    let kept = Fault::undone(
        "UPDATE that does not send the wrong value",
        "UPDATE faults.applied SET toasted = overlay(toasted PLACING '_' FROM length(toasted)) WHERE id = 5",
        "",
    );
    vec![
        Fault::wrong_apply(
            "UPDATE applied wrongly",
            "UPDATE ON faults.applied FOR EACH ROW WHEN (NEW.id = 1)",
            "NEW.v := NEW.v + 1; RETURN NEW;",
            "UPDATE faults.applied SET v = 100 WHERE id = 1",
        )
        .key("applied", "id=1", Changed, &["v"])
        .settled("", "UPDATE faults.applied SET v = 1 WHERE id = 1"),
        Fault::wrong_apply(
            "INSERT applied wrongly",
            "INSERT ON faults.applied FOR EACH ROW WHEN (NEW.id = 500)",
            "NEW.toasted := ''; RETURN NEW;",
            "INSERT INTO faults.applied VALUES (500, 1, NULL)",
        )
        .key("applied", "id=500", Changed, &["toasted"])
        .settled("", "DELETE FROM faults.applied WHERE id = 500"),
        Fault::wrong_apply(
            "INSERT not applied",
            "INSERT ON faults.applied FOR EACH ROW WHEN (NEW.id = 501)",
            "RETURN NULL;",
            "INSERT INTO faults.applied VALUES (501, 1, NULL)",
        )
        .key("applied", "id=501", Missing, &[])
        .settled("", "DELETE FROM faults.applied WHERE id = 501"),
        Fault::wrong_apply(
            "DELETE not applied",
            "DELETE ON faults.applied FOR EACH ROW WHEN (OLD.id = 3)",
            "RETURN NULL;",
            "DELETE FROM faults.applied WHERE id = 3",
        )
        .key("applied", "id=3", Extra, &[])
        .settled(
            "DELETE FROM faults.applied WHERE id = 3",
            "INSERT INTO faults.applied VALUES (3, 3, 'again')",
        ),
        Fault::wrong_apply(
            "change of a key not applied",
            "UPDATE ON faults.applied FOR EACH ROW WHEN (OLD.id = 6)",
            "NEW.id := 6; RETURN NEW;",
            "UPDATE faults.applied SET id = 600 WHERE id = 6",
        )
        .keys("applied", &[("id=6", Extra, &[]), ("id=600", Missing, &[])])
        .settled(
            "DELETE FROM faults.applied WHERE id = 6",
            "DELETE FROM faults.applied WHERE id = 600",
        ),
        Fault {
            then: "UPDATE faults.applied SET v = 100 WHERE id = 4".to_owned(),
            ..missing
        }
        .by(&[Way::ChangedKeys])
        .key("applied", "id=4", Missing, &[])
        .settled(
            "",
            "DELETE FROM faults.applied WHERE id = 4; INSERT INTO faults.applied VALUES (4, 4, 'again')",
        ),
        Fault {
            then: "UPDATE faults.applied SET v = 100 WHERE id = 5".to_owned(),
            ..kept
        }
        .by(&[Way::ChangedKeys])
        .key("applied", "id=5", Changed, &["toasted"])
        .settled("", "UPDATE faults.applied SET toasted = toasted || '' WHERE id = 5"),
    ]
}

/// Made after every row was read.
fn at_the_fence() -> Vec<Fault> {
    let quiet = |name, make: &str, rows| {
        Fault::new(name, "faults.quiet", "true", make)
            .by(&[Way::Verdict])
            .rows("quiet", Rows::Many(300, rows))
    };
    vec![
        quiet("truncated after it was read", "TRUNCATE faults.quiet", Missing),
        quiet(
            "rewritten after it was read",
            "ALTER TABLE faults.quiet ALTER v TYPE integer USING v + 1",
            Changed,
        ),
        Fault::new(
            "row changed after it was read",
            "faults.kinds",
            "id = 110",
            "SET synchronous_commit = off; UPDATE faults.kinds SET n = 0 WHERE id = 110; RESET synchronous_commit",
        )
        .by(&[Way::WatchedVerdict])
        .key("kinds", "id=110", Changed, &["n"]),
        Fault::new(
            "row missing after it was read",
            "faults.by_pair",
            "a = 6",
            "DELETE FROM faults.by_pair WHERE a = 6",
        )
        .past_triggers()
        .by(&[Way::WatchedVerdict])
        .key("by_pair", "b=b'6, a=6", Missing, &[]),
    ]
}

fn beside_rows() -> Vec<Fault> {
    let back = "SELECT setval('faults.tickets', 42)";
    let sequence = |name, make| {
        Fault::undone(name, make, back)
            .by(&[Way::Sequences])
            .rows("tickets", Rows::Many(1, Changed))
    };
    let object = |name, make, undo, oid, kind| {
        Fault::undone(name, make, undo)
            .by(&[Way::Fingerprint])
            .rows(oid, Rows::Many(1, kind))
    };
    vec![
        sequence("sequence: one less", "SELECT setval('faults.tickets', 41)"),
        sequence("sequence: not called", "SELECT setval('faults.tickets', 42, false)"),
        object(
            "large object: one byte",
            "SELECT lo_put(4711, 5999, '\\x00')",
            "SELECT lo_put(4711, 5999, convert_to(substr(repeat('large object ', 500), 6000, 1), 'UTF8'))",
            "4711",
            Changed,
        ),
        object(
            "large object: missing",
            "SELECT lo_unlink(4712)",
            "SELECT lo_from_bytea(4712, 'small')",
            "4712",
            Missing,
        ),
        object(
            "large object: extra",
            "SELECT lo_from_bytea(4713, '')",
            "SELECT lo_unlink(4713)",
            "4713",
            Extra,
        ),
    ]
}

/// What is no difference, and what no comparison of rows covers.
fn controls() -> Vec<Fault> {
    vec![
        Fault::new(
            "array: flag for NULL without one",
            "faults.kinds",
            "id = 111",
            "UPDATE faults.kinds SET ints = '{NULL,2,3}' WHERE id = 111; \
             UPDATE faults.kinds SET ints[1] = 1 WHERE id = 111",
        ),
        Fault::new(
            "row deleted and inserted again",
            "faults.kinds",
            "id = 112",
            "UPDATE faults.kinds SET id = 512 WHERE id = 112; UPDATE faults.kinds SET id = 112 WHERE id = 512",
        )
        .past_triggers(),
        Fault::undone(
            "written anew by VACUUM FULL",
            "VACUUM FULL faults.quiet",
            "VACUUM faults.quiet",
        )
        .by(&[Way::FullPass, Way::Verdict]),
        Fault::undone(
            "not covered: an unlogged table's row",
            "INSERT INTO faults.brief VALUES (2)",
            "DELETE FROM faults.brief WHERE id = 2",
        )
        .by(&[Way::FullPass]),
        Fault::undone(
            "not covered: an unpublished table's row, a materialized view's content",
            "INSERT INTO faults.unpublished VALUES (2); REFRESH MATERIALIZED VIEW faults.summary",
            "DELETE FROM faults.unpublished WHERE id = 2; REFRESH MATERIALIZED VIEW faults.summary",
        )
        .by(&[Way::FullPass]),
    ]
}
