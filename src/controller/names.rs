//! Names derived from the resource's uid and attempt, so that a second run finds what the first made. Pure.
use sha2::{Digest, Sha256};

/// The tag and annotation that says whose something is.
pub const OWNER: &str = "pgupgrade.dev/owner";
/// The tag on a source with which its owner consents to upgrades from these namespaces, separated by spaces: whoever
/// can write a `PostgresUpgrade` must not borrow the operator's AWS role for somebody else's database.
pub const ALLOWED_NAMESPACES: &str = "pgupgrade.dev/allowed-namespaces";
/// The name of the only stream there is so far.
pub const MAIN_STREAM: &str = "main";
/// `direction` of marker rows that flow from the source to the target.
pub const FORWARD: &str = "forward";

/// The first eight hexadecimal digits of a uid.
#[must_use]
pub fn short(uid: &str) -> String {
    uid.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect::<String>()
        .to_ascii_lowercase()
}

/// Publication, slot and subscription of one stream of one attempt share this name.
#[must_use]
pub fn stream(uid: &str, attempt: i32, stream: &str) -> String {
    format!("pgupgrade_{}_a{attempt}_{stream}", short(uid))
}

/// The same for the way back.
#[must_use]
pub fn reverse(uid: &str, attempt: i32, stream: &str) -> String {
    format!("pgupgrade_{}_a{attempt}_{stream}_rev", short(uid))
}

/// The stream of the way back. It has barriers of its own: on the old database nothing but replication counts them up.
#[must_use]
pub fn reverse_stream(stream: &str) -> String {
    format!("{stream}_rev")
}

/// The slot, and its publication, that tell of changed rows while both sides are compared.
#[must_use]
pub fn verification(uid: &str, attempt: i32) -> String {
    format!("pgupgrade_{}_a{attempt}_verify", short(uid))
}

/// The same on the target, for a comparison in the reverse direction.
#[must_use]
pub fn reverse_verification(uid: &str, attempt: i32) -> String {
    format!("{}_rev", verification(uid, attempt))
}

/// The role that subscriptions log in with.
#[must_use]
pub fn role(uid: &str) -> String {
    format!("pgupgrade_{}", short(uid))
}

/// The clone of an attempt: the first is called as the user wants the new cluster to be called.
#[must_use]
pub fn clone(target: &str, attempt: i32) -> String {
    if attempt <= 1 {
        target.to_owned()
    } else {
        format!("{target}-a{attempt}")
    }
}

/// The clone's only instance.
#[must_use]
pub fn writer(cluster: &str) -> String {
    format!("{cluster}-1")
}

/// The parameter group of the old family under which the clone starts.
#[must_use]
pub fn clone_parameter_group(uid: &str, attempt: i32) -> String {
    format!("pgupgrade-{}-a{attempt}-clone", short(uid))
}

/// The cluster parameter group of the new family.
#[must_use]
pub fn target_parameter_group(uid: &str, major: &str) -> String {
    format!("pgupgrade-{}-cluster-{major}", short(uid))
}

/// The instance parameter group of the new family.
#[must_use]
pub fn target_instance_parameter_group(uid: &str, major: &str) -> String {
    format!("pgupgrade-{}-instance-{major}", short(uid))
}

/// The source's parameter group with logical replication on, where the spec allows it.
#[must_use]
pub fn source_parameter_group(uid: &str) -> String {
    format!("pgupgrade-{}-source", short(uid))
}

/// `namespace/name/uid`, the value of [`OWNER`].
#[must_use]
pub fn owner(namespace: &str, name: &str, uid: &str) -> String {
    format!("{namespace}/{name}/{}", short(uid))
}

/// What has to be approved: attempt, number of the cutover, and a hash over everything that is decided by then, so
/// that an old commit, a re-created resource or the next try never match.
#[must_use]
pub fn token(uid: &str, attempt: i32, cutover: i32, resolved: &str) -> String {
    let mut hash = Sha256::new();
    for part in [uid, &attempt.to_string(), &cutover.to_string(), resolved] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digits: String = hash
        .finalize()
        .iter()
        .take(6)
        .map(|byte| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::from(*byte) % 36]))
        .collect();
    format!("{attempt}-{cutover}-{digits}")
}

/// A short hash of a text, for status fields.
#[must_use]
pub fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(4)
        .fold(String::new(), |all, byte| format!("{all}{byte:02x}"))
}

/// The major of an engine version: `17` of `17.6`.
#[must_use]
pub fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// The same as a number, to be compared; 0 where it is none.
#[must_use]
pub fn major_number(version: &str) -> i32 {
    major(version).parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "6b2f0c1e-58aa-4f7e-9d5f-0123456789ab";

    #[test]
    fn names_fit_postgresql_and_rds() {
        for attempt in [1, 10] {
            assert!(reverse(UID, attempt, "a234567890123456789b").len() <= 63);
            assert!(reverse_verification(UID, attempt).len() <= 63);
            assert!(clone_parameter_group(UID, attempt).len() <= 255);
        }
        assert_eq!(stream(UID, 2, MAIN_STREAM), "pgupgrade_6b2f0c1e_a2_main");
        assert_eq!(clone("shop-18", 1), "shop-18");
        assert_eq!(clone("shop-18", 2), "shop-18-a2");
    }

    #[test]
    fn a_token_belongs_to_one_try_of_one_resource() {
        let token_of = |uid, attempt, cutover, resolved| token(uid, attempt, cutover, resolved);
        let this = token_of(UID, 1, 1, "r");
        assert!(this.starts_with("1-1-") && this.len() == 10, "{this}");
        assert_eq!(this, token_of(UID, 1, 1, "r"));
        for other in [
            token_of("x", 1, 1, "r"),
            token_of(UID, 2, 1, "r"),
            token_of(UID, 1, 2, "r"),
            token_of(UID, 1, 1, "s"),
        ] {
            assert_ne!(this, other);
        }
        assert_ne!(&token_of("ab", 1, 1, "c")[4..], &token_of("a", 1, 1, "bc")[4..]);
    }
}
