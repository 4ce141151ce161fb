//! Names and numbers of resources.

use rand::distr::{Distribution as _, Uniform};

use super::ARN_PREFIX;
use crate::protocol::Fault;

/// Checks and lowers a new identifier: 1 to 63 letters, digits and hyphens, a letter first, no hyphen last, no two in a
/// row (API reference, `CreateDBCluster`).
pub(crate) fn check(parameter: &str, identifier: &str) -> Result<String, Fault> {
    let valid = identifier.len() <= 63
        && identifier.starts_with(|first: char| first.is_ascii_alphabetic())
        && identifier
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '-')
        && !identifier.ends_with('-')
        && !identifier.contains("--");
    if valid {
        return Ok(identifier.to_ascii_lowercase());
    }
    Err(Fault::invalid_value(format!(
        "The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain only \
         ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}

/// The identifier in an ARN, or the identifier itself, in small letters.
pub(crate) fn plain(identifier_or_arn: &str) -> String {
    let name = match identifier_or_arn.strip_prefix("arn:") {
        Some(rest) => rest.rsplit(':').next().unwrap_or(rest),
        None => identifier_or_arn,
    };
    name.to_ascii_lowercase()
}

/// An ARN of this account.
pub(crate) fn arn(kind: &str, name: &str) -> String {
    format!("{ARN_PREFIX}:{kind}:{name}")
}

/// A resource id such as `cluster-JPGKBNMIBEHAB4D2NMNAJYPQMY`.
pub(crate) fn resource_id(prefix: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut generator = rand::rng();
    let random = Uniform::new(0, ALPHABET.len());
    let letters: String = match random {
        Ok(range) => (0..26)
            .map(|_| char::from(ALPHABET[range.sample(&mut generator)]))
            .collect(),
        Err(_) => String::new(),
    };
    format!("{prefix}-{letters}")
}

/// A random number in the form of a UUID.
pub(crate) fn uuid() -> String {
    let bits: u128 = rand::random();
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for (identifier, valid) in [
            ("shop", true),
            ("Shop-1", true),
            ("1shop", false),
            ("shop-", false),
            ("shop--1", false),
            ("shop_1", false),
            ("../shop", false),
            ("", false),
        ] {
            assert_eq!(check("DBClusterIdentifier", identifier).is_ok(), valid, "{identifier}");
        }
        assert!(check("DBClusterIdentifier", &"x".repeat(64)).is_err());
        assert_eq!(check("DBClusterIdentifier", "Shop-1").unwrap(), "shop-1");
        assert_eq!(plain(&arn("cluster", "shop")), "shop");
    }
}
