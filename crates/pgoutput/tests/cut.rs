//! The cut as tables: two lists of transactions, and what must follow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use pgupgrade_pgoutput::{Common, CutFinder, Lsn, Mismatch, Need, Transaction};

/// A transaction by number; its commit record is 50 bytes long.
fn t(number: u32) -> Transaction {
    let commit = u64::from(number) * 100;
    Transaction {
        xid: 700 + number,
        commit_lsn: Lsn(commit),
        end_lsn: Lsn(commit + 50),
        hash: u128::from(number),
    }
}

fn find(source: &[Transaction], clone: &[Transaction]) -> Result<Option<Common>, Mismatch> {
    let (mut source, mut clone) = (source.iter().copied(), clone.iter().copied());
    let mut finder = CutFinder::default();
    loop {
        if let Need::Nothing(common) = finder.push(source.next(), clone.next())? {
            return Ok(common);
        }
    }
}

#[test]
fn the_last_common_one_is_the_cut() {
    let common = |number, count, next: Option<u32>| {
        Some(Common {
            last: t(number),
            count,
            next_commit_lsn: next.map(|next| t(next).commit_lsn),
        })
    };
    for (case, source, clone, expected) in [
        (
            "a prefix",
            vec![t(1), t(2), t(3), t(4)],
            vec![t(1), t(2)],
            common(2, 2, Some(3)),
        ),
        ("all of it", vec![t(1), t(2)], vec![t(1), t(2)], common(2, 2, None)),
        ("one", vec![t(1), t(5)], vec![t(1)], common(1, 1, Some(5))),
        ("none", vec![t(1), t(2)], vec![], None),
        ("nothing on either side", vec![], vec![], None),
    ] {
        assert_eq!(find(&source, &clone).unwrap(), expected, "{case}");
    }
}

#[test]
fn anything_but_a_prefix_is_refused() {
    let changed = Transaction { hash: 99, ..t(2) };
    let longer = Transaction {
        end_lsn: Lsn(299),
        ..t(2)
    };
    let own = Transaction { xid: 900, ..t(3) };
    for (case, source, clone, expected) in [
        (
            "written on the clone, nothing more on the source",
            vec![t(1)],
            vec![t(1), t(2)],
            Mismatch::Foreign(t(2)),
        ),
        (
            "written on the clone where the source went on",
            vec![t(1), t(2), t(3)],
            vec![t(1), t(2), own],
            Mismatch::Foreign(own),
        ),
        (
            "one left out",
            vec![t(1), t(2), t(3)],
            vec![t(1), t(3)],
            Mismatch::Foreign(t(3)),
        ),
        (
            "the first left out",
            vec![t(1), t(2)],
            vec![t(2)],
            Mismatch::Foreign(t(2)),
        ),
        (
            "another content",
            vec![t(1), t(2)],
            vec![t(1), changed],
            Mismatch::Different(changed),
        ),
        (
            "another end",
            vec![t(1), t(2)],
            vec![t(1), longer],
            Mismatch::Different(longer),
        ),
        ("no clone of this source", vec![], vec![t(1)], Mismatch::Foreign(t(1))),
        (
            "out of order",
            vec![t(2), t(1)],
            vec![t(2), t(1)],
            Mismatch::Disorder {
                last: t(2).commit_lsn,
                next: t(1).commit_lsn,
            },
        ),
    ] {
        assert_eq!(find(&source, &clone).unwrap_err(), expected, "{case}");
    }
}
