//! The decoder with the bytes of every message, with pieces of them and with garbage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use pgupgrade_pgoutput::{Column, DecodeError, Fold, FoldError, Identity, Lsn, Message, RelationColumn};

/// What PostgreSQL 17.11 sent for one transaction over two tables with replica identities DEFAULT and FULL.
const RECORDED: &str = include_str!("recorded.hex");

fn recorded() -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    RECORDED
        .lines()
        .map(|line| line.as_bytes().chunks(2).map(byte).collect())
        .collect()
}

#[test]
fn recorded_messages_are_understood() {
    let bytes = recorded();
    let messages: Vec<Message> = bytes.iter().map(|bytes| Message::parse(bytes).unwrap()).collect();
    let kinds: String = bytes.iter().map(|bytes| char::from(bytes[0])).collect();
    assert_eq!(kinds, "BYRIURIUDDYRTMC");
    let Message::Begin {
        final_lsn,
        xid,
        commit_time,
    } = messages[0]
    else {
        panic!("{:?}", messages[0])
    };
    let Message::Commit {
        flags: 0,
        commit_lsn,
        end_lsn,
        commit_time: same,
    } = messages[14]
    else {
        panic!()
    };
    assert_eq!((final_lsn, commit_time), (commit_lsn, same));
    assert!(end_lsn > commit_lsn && xid > 700);
    let Message::Relation {
        schema: b"public",
        name: b"keyed",
        replica_identity: b'd',
        columns,
        ..
    } = &messages[2]
    else {
        panic!("{:?}", messages[2])
    };
    let key = RelationColumn {
        is_key: true,
        name: b"id",
        type_oid: 20,
        type_modifier: -1,
    };
    assert_eq!(columns[0], key);
    let Message::Type {
        schema: b"public",
        name: b"mood",
        ..
    } = messages[1]
    else {
        panic!("{:?}", messages[1])
    };
    let Message::Insert { new, .. } = &messages[3] else {
        panic!()
    };
    assert_eq!(
        new.as_slice(),
        [Column::Text(b"1"), Column::Text(b"fine"), Column::Null]
    );
    let Message::Update {
        old: Some((Identity::Key, old)),
        ..
    } = &messages[4]
    else {
        panic!("{:?}", messages[4])
    };
    assert_eq!(old[0], Column::Text(b"1"));
    let Message::Update {
        old: Some((Identity::Full, _)),
        new,
        ..
    } = &messages[7]
    else {
        panic!("{:?}", messages[7])
    };
    assert_eq!(new[0], Column::Text(b"a"));
    let Message::Delete {
        old: (Identity::Key, _),
        ..
    } = &messages[8]
    else {
        panic!()
    };
    let Message::Delete {
        old: (Identity::Full, _),
        ..
    } = &messages[9]
    else {
        panic!()
    };
    let Message::Truncate { options: 0, relations } = &messages[12] else {
        panic!()
    };
    assert_eq!(relations.len(), 1);
    let Message::Logical {
        flags: 1,
        prefix: b"p",
        content: b"hello",
        ..
    } = messages[13]
    else {
        panic!()
    };
}

#[test]
fn recorded_messages_are_one_transaction() {
    let fold = |messages: &[Vec<u8>]| {
        let mut fold = Fold::default();
        let done: Vec<_> = messages
            .iter()
            .filter_map(|message| fold.push(message).unwrap())
            .collect();
        (done, fold.is_complete())
    };
    let all = recorded();
    let (whole, complete) = fold(&all);
    assert!(complete);
    let [transaction] = whole[..] else { panic!("{whole:?}") };
    assert!(transaction.end_lsn > transaction.commit_lsn && transaction.commit_lsn > Lsn(0));
    // A session that has described the tables before does not do so again.
    let bare: Vec<_> = all
        .iter()
        .filter(|message| !matches!(message[0], b'R' | b'Y'))
        .cloned()
        .collect();
    assert_eq!(fold(&bare).0, [transaction]);
    let mut changed = all.clone();
    *changed[3].last_mut().unwrap() ^= 1;
    assert_ne!(fold(&changed).0[0].hash, transaction.hash);
    assert!(!fold(&all[..5]).1);
}

#[test]
fn messages_out_of_place_are_refused() {
    let all = recorded();
    let (begin, insert, commit) = (&all[0], &all[3], &all[14]);
    let mut fold = Fold::default();
    assert!(matches!(
        fold.push(insert),
        Err(FoldError::Order {
            found: 'I',
            place: "outside"
        })
    ));
    assert!(matches!(
        Fold::default().push(commit),
        Err(FoldError::Order {
            found: 'C',
            place: "outside"
        })
    ));
    let mut fold = Fold::default();
    assert_eq!(fold.push(begin), Ok(None));
    assert!(matches!(
        fold.push(begin),
        Err(FoldError::Order {
            found: 'B',
            place: "inside"
        })
    ));
    let mut other = commit.clone();
    other[9] ^= 1;
    assert!(matches!(fold.push(&other), Err(FoldError::Position { .. })));
    assert!(matches!(Fold::default().push(&[]), Err(FoldError::Decode(_))));
}

#[test]
fn every_piece_of_a_message_is_refused() {
    for message in recorded() {
        for end in 0..message.len() {
            assert!(Message::parse(&message[..end]).is_err(), "{end} of {message:?}");
        }
        let mut longer = message.clone();
        longer.push(0);
        assert!(matches!(
            Message::parse(&longer),
            Err(DecodeError::Excess { excess: 1, .. })
        ));
    }
}

#[test]
fn garbage_is_an_error_and_never_a_panic() {
    // Numerical Recipes' generator: the same garbage in every run.
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24).to_le_bytes()[0]
    };
    let kinds = b"BCORYIUDTM";
    for round in 0..200_000 {
        let mut bytes: Vec<u8> = (0..usize::from(next() % 40)).map(|_| next()).collect();
        if let Some(first) = bytes.first_mut() {
            *first = kinds[round % kinds.len()];
        }
        let _ = Message::parse(&bytes);
    }
    for message in recorded() {
        for index in 0..message.len() {
            for value in [0, 1, 0x7F, 0x80, 0xFF, b'N', b'K'] {
                let mut bytes = message.clone();
                bytes[index] = value;
                let _ = Message::parse(&bytes);
            }
        }
    }
    // A count that promises more than memory holds costs nothing.
    assert!(Message::parse(b"T\xFF\xFF\xFF\xFF\0\0\0\0\x01").is_err());
    assert!(matches!(
        Message::parse(b"X"),
        Err(DecodeError::Unknown { found: b'X', .. })
    ));
}
