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

    use serde_json::Value;

    use super::*;

    fn statements() -> Vec<Value> {
        let policy: Value = serde_json::from_str(include_str!("../../../docs/iam-policy.json")).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    }

    fn texts(value: &Value) -> Vec<&str> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect()
    }

    fn allowing<'a>(statements: &'a [Value], action: &str) -> Vec<&'a Value> {
        let allows =
            |statement: &&Value| statement["Effect"] == "Allow" && texts(&statement["Action"]).contains(&action);
        statements.iter().filter(allows).collect()
    }

    #[test]
    fn the_policy_allows_exactly_these_actions() {
        let statements = statements();
        let allowed: BTreeSet<&str> = statements
            .iter()
            .filter(|statement| statement["Effect"] == "Allow")
            .flat_map(|statement| texts(&statement["Action"]))
            .filter(|action| action.starts_with("rds:"))
            .collect();
        assert_eq!(allowed, ACTIONS.into());
    }

    #[test]
    fn every_action_that_the_crate_calls_is_listed() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        let mut called = BTreeSet::new();
        for source in sources.map(|path| std::fs::read_to_string(path).unwrap()) {
            let actions = source
                .split("(Error::of(\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            called.extend(actions.map(|action| format!("rds:{action}")));
        }
        assert_eq!(called, ACTIONS.map(str::to_owned).into());
    }

    #[test]
    fn only_what_is_ours_may_be_changed_or_deleted() {
        let statements = statements();
        for action in ACTIONS
            .into_iter()
            .filter(|action| action.starts_with("rds:Delete") || action.ends_with("ParameterGroup"))
        {
            for statement in allowing(&statements, action) {
                let owned = statement["Condition"].to_string().contains("pgupgrade.dev/owner");
                let resources = texts(&statement["Resource"]);
                let named = resources
                    .iter()
                    .all(|resource| resource.contains(":pgupgrade-") || resource.contains(":preupgrade-"));
                assert!(owned || named, "{action}: {statement}");
            }
        }
        let denied = statements.iter().filter(|statement| statement["Effect"] == "Deny");
        let never: Vec<&str> = denied.flat_map(|statement| texts(&statement["Action"])).collect();
        assert_eq!(never, ["rds:DeleteDBCluster", "rds:DeleteDBInstance"]);
    }

    #[test]
    fn only_looking_is_allowed_on_everything() {
        for statement in statements()
            .iter()
            .filter(|statement| texts(&statement["Resource"]).contains(&"*"))
        {
            let looks = |action: &&str| {
                ["rds:Describe", "rds:Download", "rds:List"]
                    .iter()
                    .any(|prefix| action.starts_with(prefix))
            };
            let rds = texts(&statement["Action"])
                .into_iter()
                .filter(|action| action.starts_with("rds:"));
            assert!(
                statement["Effect"] == "Deny" || rds.into_iter().all(|action| looks(&action)),
                "{statement}"
            );
        }
    }
}
