//! What a status means. Pure.

/// What a cluster's or an instance's status means for whoever waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Something is under way. Statuses that are not known here count as that: waits have a deadline.
    Working,
    /// It can be used.
    Available,
    /// It will not become available by itself; the status says why.
    Broken(String),
}

/// Statuses from which nothing leads back without a person ("Viewing DB cluster status", Aurora user guide).
const BROKEN: [&str; 11] = [
    "cloning-failed",
    "failed",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "insufficient-capacity",
    "migration-failed",
    "restore-error",
    "storage-full",
    "upgrade_failed",
    "upgrade-failed",
    "stopped",
];

/// Classifies a status.
pub(crate) fn of(status: &str) -> Health {
    match status {
        "available" => Health::Available,
        _ if BROKEN.contains(&status) || status.starts_with("incompatible-") => Health::Broken(status.to_owned()),
        _ => Health::Working,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_waited_for() {
        let broken = |status: &str| Health::Broken(status.to_owned());
        let table = [
            ("available", Health::Available),
            ("creating", Health::Working),
            ("upgrading", Health::Working),
            ("something-new", Health::Working),
            ("stopped", broken("stopped")),
            ("upgrade_failed", broken("upgrade_failed")),
            ("cloning-failed", broken("cloning-failed")),
            ("incompatible-network", broken("incompatible-network")),
            ("incompatible-parameters", broken("incompatible-parameters")),
        ];
        for (status, expected) in table {
            assert_eq!(of(status), expected, "{status}");
        }
    }
}
