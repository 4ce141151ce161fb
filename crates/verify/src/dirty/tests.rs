#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;

fn change(xid: u64, lsn: u64) -> Entry {
    Entry {
        xid: Some(xid),
        lsn: Lsn(lsn),
        rogue: false,
    }
}

fn suspect(lsn: u64) -> Entry {
    Entry {
        xid: None,
        lsn: Lsn(lsn),
        rogue: false,
    }
}

fn rogue(entry: Entry) -> Entry {
    Entry { rogue: true, ..entry }
}

fn empty() -> DirtySet {
    DirtySet::new(1 << 20, None)
}

#[test]
fn the_latest_change_counts_and_a_suspect_replaces_none() {
    let cases: &[(&[Entry], Entry)] = &[
        (&[change(7, 10), change(8, 20)], change(8, 20)),
        (&[change(8, 20), change(7, 10)], change(8, 20)),
        (&[change(7, 10), change(7, 10)], change(7, 10)),
        (&[change(7, 10), suspect(99)], change(7, 10)),
        (&[suspect(99), change(7, 10)], change(7, 10)),
        (&[suspect(10), suspect(20)], suspect(20)),
    ];
    for (inserted, kept) in cases {
        let mut set = empty();
        for entry in *inserted {
            set.insert(3, b"key", *entry).unwrap();
            set.insert_whole(3, *entry);
        }
        assert_eq!(set.get(3, b"key", false).unwrap(), Some(*kept), "{inserted:?}");
        assert_eq!(set.whole(3, false), Some(*kept), "{inserted:?}");
        assert_eq!((set.total(), set.len(3), set.len(2)), (1, 1, 0));
    }
}

#[test]
fn what_changed_meanwhile_stays() {
    let mut set = empty();
    set.insert(0, b"a", change(1, 10)).unwrap();
    set.insert_whole(0, change(1, 10));
    let seen = set.batch(None, 10).unwrap();
    set.insert(0, b"a", change(2, 20)).unwrap();
    set.insert_whole(0, change(2, 20));
    assert!(!set.remove_if_unchanged(0, b"a", &seen[0].entry).unwrap());
    assert!(!set.clear_whole_if_unchanged(0, &seen[0].entry));
    assert_eq!(set.total(), 1);
    assert!(set.remove_if_unchanged(0, b"a", &change(2, 20)).unwrap());
    assert!(set.clear_whole_if_unchanged(0, &change(2, 20)));
    assert!(!set.remove_if_unchanged(0, b"a", &change(2, 20)).unwrap());
    assert_eq!((set.total(), set.len(0), set.whole(0, false)), (0, 0, None));
}

#[test]
fn the_sides_of_a_key_are_two_entries() {
    let mut set = empty();
    set.insert(0, b"a", change(1, 500)).unwrap();
    set.insert(0, b"a", rogue(change(9, 10))).unwrap();
    set.insert_whole(1, rogue(change(9, 10)));
    assert_eq!(set.len(0), 2);
    assert_eq!(set.get(0, b"a", true).unwrap(), Some(rogue(change(9, 10))));
    assert!(set.remove_if_unchanged(0, b"a", &change(1, 500)).unwrap());
    assert_eq!(set.get(0, b"a", true).unwrap(), Some(rogue(change(9, 10))));
    assert_eq!(
        (set.whole(1, false), set.whole(1, true)),
        (None, Some(rogue(change(9, 10))))
    );
}

type Model = BTreeMap<(u32, bool, Vec<u8>), Entry>;

fn key(random: &mut StdRng) -> Vec<u8> {
    let length = *[0, 1, 8, 200].get(random.random_range(0..4)).unwrap();
    let mut key = vec![0; length];
    random.fill(&mut key[..]);
    // Few different ones, so that they meet.
    key.iter_mut().take(8).for_each(|byte| *byte &= 0x81);
    key
}

fn change_both(set: &mut DirtySet, model: &mut Model, random: &mut StdRng, lsn: u64) {
    let (table, rogue) = (
        *[0, 1, 2, u32::MAX].get(random.random_range(0..4)).unwrap(),
        random.random(),
    );
    if random.random_range(0..3) < 2 {
        let entry = Entry {
            xid: random.random_bool(0.8).then_some(lsn),
            lsn: Lsn(lsn.saturating_sub(random.random_range(0..50)) << 20),
            rogue,
        };
        let key = key(random);
        set.insert(table, &key, entry).unwrap();
        let kept = model.entry((table, rogue, key)).or_insert(entry);
        if (entry.xid.is_some(), entry.lsn) > (kept.xid.is_some(), kept.lsn) {
            *kept = entry;
        }
    } else {
        let first = model.range((table, rogue, key(random))..).next();
        let Some(((table, rogue, key), entry)) = first.map(|(name, entry)| (name.clone(), *entry)) else {
            return;
        };
        let other = Entry {
            xid: Some(1 << 40),
            ..entry
        };
        assert!(!set.remove_if_unchanged(table, &key, &other).unwrap());
        assert!(set.remove_if_unchanged(table, &key, &entry).unwrap());
        model.remove(&(table, rogue, key));
    }
}

fn compare(set: &DirtySet, model: &Model, page: usize) {
    let mut all = Vec::new();
    loop {
        let batch = set.batch(all.last(), page).unwrap();
        if batch.is_empty() {
            break;
        }
        assert!(batch.len() <= page);
        all.extend(batch);
    }
    let all: Vec<_> = all
        .into_iter()
        .map(|it| ((it.table, it.entry.rogue, it.key), it.entry))
        .collect();
    let expected: Vec<_> = model.iter().map(|(name, entry)| (name.clone(), *entry)).collect();
    assert_eq!(all, expected);
    assert_eq!(set.total(), model.len());
    for table in [0, 1, 2, 3, u32::MAX] {
        let mut keys = Vec::new();
        set.for_each_key(table, |key, entry| {
            keys.push(((table, entry.rogue, key.to_vec()), entry));
        })
        .unwrap();
        let expected: Vec<_> = expected.iter().filter(|((of, ..), _)| *of == table).cloned().collect();
        assert_eq!(keys, expected);
        assert_eq!(set.len(table), expected.len());
    }
}

#[test]
fn it_is_as_a_map_whether_it_fits_into_memory_or_not() {
    for (seed, budget) in [(1, 400), (2, 1500), (3, 20_000), (4, 1 << 30)] {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut set, mut model) = (DirtySet::new(budget, None), Model::new());
        for step in 1..6000 {
            change_both(&mut set, &mut model, &mut random, step);
            if step % 500 == 0 {
                compare(&set, &model, random.random_range(1..300));
            }
        }
        assert_eq!(set.disk.is_some(), budget < 1 << 30, "{budget}");
        while let Some(dirty) = set.batch(None, 1).unwrap().pop() {
            assert!(set.remove_if_unchanged(dirty.table, &dirty.key, &dirty.entry).unwrap());
        }
        assert!(set.disk.is_none() && set.total() == 0);
    }
}

#[test]
fn a_folder_that_can_not_be_written_is_named() {
    let mut set = DirtySet::new(0, Some(Path::new("/nowhere/at all")));
    let error = set.insert(0, b"key", change(1, 1)).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at all"), "{error}");
}

#[test]
fn the_file_has_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut set = DirtySet::new(0, Some(folder.path()));
    set.insert(0, b"key", change(1, 1)).unwrap();
    assert!(set.disk.is_some());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
