//! What the operator's `ServiceAccount` may do with the application's objects, asked before anything is done.
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::error::{Call, object};
use super::{Error, Problem};

/// Verbs on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    group: &'static str,
    resource: &'static str,
    /// `None`: all of the namespace.
    name: Option<String>,
    verbs: &'static [&'static str],
}

/// For a Secret that holds the application's connection.
#[must_use]
pub fn for_connection(name: &str) -> Vec<Access> {
    vec![Access {
        group: "",
        resource: "secrets",
        name: Some(name.to_owned()),
        verbs: &["get", "patch"],
    }]
}

/// For a Deployment that is taken down and brought up again.
#[must_use]
pub fn for_workload(name: &str) -> Vec<Access> {
    let deployment = Access {
        group: "apps",
        resource: "deployments",
        name: Some(name.to_owned()),
        verbs: &["get", "list", "watch", "patch"],
    };
    vec![
        deployment,
        Access {
            group: "",
            resource: "pods",
            name: None,
            verbs: &["list", "watch", "delete"],
        },
    ]
}

/// For the `ConfigMap` with the report and what need not be read again.
#[must_use]
pub fn for_report(name: &str) -> Vec<Access> {
    let report = |name, verbs| Access {
        group: "",
        resource: "configmaps",
        name,
        verbs,
    };
    // What is to be created has no name that a rule could name.
    vec![
        report(None, &["create"]),
        report(Some(name.to_owned()), &["get", "patch"]),
    ]
}

/// Asks the API server for each permission (`SelfSubjectAccessReview`, which every account may use) and lists what is
/// missing. It changes nothing.
///
/// # Errors
/// Where the API server does not answer.
pub async fn missing(client: &Client, namespace: &str, needed: &[Access]) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    for access in needed {
        let mut verbs = Vec::new();
        for verb in access.verbs {
            if !allowed(client, namespace, access, verb).await? {
                verbs.push(*verb);
            }
        }
        if !verbs.is_empty() {
            problems.push(problem(namespace, access, &verbs));
        }
    }
    Ok(problems)
}

async fn allowed(client: &Client, namespace: &str, access: &Access, verb: &str) -> Result<bool, Error> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let attributes = ResourceAttributes {
        group: Some(access.group.to_owned()),
        resource: Some(access.resource.to_owned()),
        name: access.name.clone(),
        namespace: Some(namespace.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let call = Call {
        verb: "create",
        resource: "selfsubjectaccessreviews",
        namespace,
        name: "",
    };
    let answer = call.answer(api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn problem(namespace: &str, access: &Access, verbs: &[&str]) -> Problem {
    let verbs = verbs.join(", ");
    let name = access.name.as_deref().unwrap_or("*");
    let names = access
        .name
        .as_ref()
        .map(|name| format!("resourceNames: [{name}], "))
        .unwrap_or_default();
    let message = format!(
        "the operator's ServiceAccount lacks {verbs} on {} {name}; add to a Role in namespace {namespace}: {{apiGroups: [\"{}\"], resources: [{}], {names}verbs: [{verbs}]}}",
        access.resource, access.group, access.resource
    );
    Problem::new("PermissionDenied", object(access.resource, name), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fix_is_the_rule_that_is_missing() {
        let needed = for_workload("shop-api");
        let one = problem("shop", &needed[0], &["patch"]);
        assert_eq!(one.object, "Deployment/shop-api");
        let rule = "{apiGroups: [\"apps\"], resources: [deployments], resourceNames: [shop-api], verbs: [patch]}";
        assert!(one.message.contains(rule), "{}", one.message);
        let all = problem("shop", &needed[1], &["watch", "delete"]);
        assert_eq!(all.object, "Pod/*");
        assert!(
            all.message
                .contains("{apiGroups: [\"\"], resources: [pods], verbs: [watch, delete]}"),
            "{}",
            all.message
        );
    }
}
