//! What the operator's role has to be allowed.

/// Every action that this crate calls; `docs/iam-policy.json` allows exactly these.
pub const ACTIONS: [&str; 29] = [
    "rds:AddTagsToResource",
    "rds:CreateDBClusterParameterGroup",
    "rds:CreateDBInstance",
    "rds:CreateDBParameterGroup",
    "rds:DeleteDBCluster",
    "rds:DeleteDBClusterParameterGroup",
    "rds:DeleteDBClusterSnapshot",
    "rds:DeleteDBInstance",
    "rds:DeleteDBParameterGroup",
    "rds:DescribeDBClusterParameterGroups",
    "rds:DescribeDBClusterParameters",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
    "rds:DescribeDBEngineVersions",
    "rds:DescribeDBInstances",
    "rds:DescribeDBLogFiles",
    "rds:DescribeDBParameterGroups",
    "rds:DescribeDBParameters",
    "rds:DescribeEngineDefaultClusterParameters",
    "rds:DescribeEngineDefaultParameters",
    "rds:DescribeEvents",
    "rds:DownloadDBLogFilePortion",
    "rds:ListTagsForResource",
    "rds:ModifyDBCluster",
    "rds:ModifyDBClusterParameterGroup",
    "rds:ModifyDBParameterGroup",
    "rds:RebootDBInstance",
    "rds:RemoveTagsFromResource",
    "rds:RestoreDBClusterToPointInTime",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_policy_allows_exactly_these_actions() {
        let policy: serde_json::Value = serde_json::from_str(include_str!("../../../docs/iam-policy.json")).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        let allowed: BTreeSet<&str> =
            statements.iter().flat_map(|statement| statement["Action"].as_array().unwrap()).map(|action| action.as_str().unwrap()).collect();
        assert_eq!(allowed, ACTIONS.into());
        for statement in statements {
            assert_eq!(statement["Effect"], "Allow");
        }
    }
}
