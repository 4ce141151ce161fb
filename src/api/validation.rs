//! What the API server refuses by itself: patterns, and rules in the Common Expression Language (CEL).
//!
//! Rules over `oldSelf.status` freeze inputs once they are in use, without a webhook. The server limits what a rule may
//! cost, so every list, map and string that one reaches has a bound in its schema.
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules>
use kube::core::Rule;
use serde_json::{Value, json};

/// The name of a Kubernetes object: an RFC 1123 subdomain.
pub(super) const OBJECT_NAME: &str = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$";
/// A key of a Secret or `ConfigMap`.
pub(super) const DATA_KEY: &str = r"^[-._a-zA-Z0-9]+$";
/// The identifier of a DB cluster, as `CreateDBCluster` takes it: letters, digits and single hyphens, a letter first.
pub(super) const DB_IDENTIFIER: &str = r"^[a-z](-?[a-z0-9])*$";
/// The name of a parameter group, as `CreateDBClusterParameterGroup` takes it; RDS keeps names in lower case, and
/// those of its own groups (`default.aurora-postgresql18`) have dots.
pub(super) const PARAMETER_GROUP: &str = r"^[a-z]([-.]?[a-z0-9])*$";
/// A DB instance class, `db.r8g.xlarge`.
pub(super) const DB_INSTANCE_CLASS: &str = r"^db\.[a-z0-9.-]+$";
/// An AWS region.
pub(super) const AWS_REGION: &str = r"^[a-z]{2}(-[a-z]+)+-[0-9]$";
/// A major version (`18`) or a version of it (`18.1`).
pub(super) const ENGINE_VERSION: &str = r"^[0-9]{2}(\.[0-9]{1,3})?$";
/// What approves one cutover: attempt, number of the cutover, and a hash.
pub(super) const TOKEN: &str = r"^[0-9]+-[0-9]+-[a-z0-9]{6}$";
/// A DNS name.
pub(super) const DNS_NAME: &str = r"^[a-zA-Z0-9_]([-.a-zA-Z0-9_]*[a-zA-Z0-9])?$";
/// A table with its schema, as in `public.orders`; both as they are stored, without quotes.
pub(super) const QUALIFIED_TABLE: &str = r"^[^.]+\..+$";

/// A rule with the message that its refusal carries, in the form of `x-kubernetes-validations`.
pub(super) fn rule(rule: &str, message: &str) -> Value {
    json!({ "rule": rule, "message": message })
}

/// The bounds of a duration.
pub(super) fn between(least: &str, most: &str) -> Value {
    json!([rule(
        &format!("duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"),
        &format!("must be between {least} and {most}"),
    )])
}

/// A field that keeps its first value.
pub(super) fn immutable(field: &str) -> Value {
    json!([rule("self == oldSelf", &format!("{field} is immutable"))])
}

/// The states of [`super::DesiredState`] have a direction: a revert in Git must not start anything again.
pub(super) fn never_back_to_upgraded() -> Value {
    json!([rule(
        "self == oldSelf || self != 'Upgraded'",
        "desiredState never returns to Upgraded: a PostgresUpgrade runs once; commit this value to Git, and create a new \
         PostgresUpgrade to try again",
    )])
}

/// Without `policy: Enable` nothing on the source is changed, so there is nothing to restart for.
pub(super) fn restart_needs_enable() -> Value {
    json!([rule(
        "self.policy == 'Enable' || self.restart == 'Never'",
        "restart needs policy: Enable"
    )])
}

/// `policy: Existing` and the names of parameter groups belong together.
pub(super) fn parameter_group_names() -> Value {
    json!([
        rule(
            "self.policy != 'Existing' || has(self.dbClusterParameterGroupName) || has(self.dbParameterGroupName)",
            "policy Existing needs a parameter group name",
        ),
        rule(
            "self.policy == 'Existing' || (!has(self.dbClusterParameterGroupName) && !has(self.dbParameterGroupName))",
            "group names need policy: Existing",
        ),
    ])
}

/// `identity: Index` and the name of an index belong together.
pub(super) fn index_with_identity() -> Value {
    json!([rule(
        "(self.identity == 'Index') == has(self.index)",
        "index is required with identity: Index and only there"
    )])
}

/// Tags that RDS would refuse, or that say whose a resource is.
pub(super) fn tag_keys() -> Value {
    json!([
        rule(
            "self.all(key, size(key) >= 1 && size(key) <= 128 && !key.startsWith('aws:'))",
            "tag keys have 1 to 128 characters and do not begin with aws:",
        ),
        rule(
            "self.all(key, !key.startsWith('pgupgrade.dev/'))",
            "tag keys below pgupgrade.dev/ are set by the operator"
        ),
    ])
}

/// The name becomes a label and the value of an AWS tag.
pub(super) fn name_fits_a_label() -> Rule {
    Rule::new("size(self.metadata.name) <= 63")
        .message("metadata.name must be at most 63 characters: it becomes a label and an AWS tag value")
}

/// A required field of the spec that is frozen once preflight has passed.
pub(super) fn frozen_by_preflight(field: &str) -> Rule {
    after_preflight(field, &format!("self.spec.{field} == oldSelf.spec.{field}"))
}

/// An optional field of the spec that is frozen once preflight has passed.
pub(super) fn frozen_by_preflight_if_any(field: &str) -> Rule {
    after_preflight(field, &same_if_any(field))
}

/// A required field of the spec that is frozen from the cutover on.
pub(super) fn frozen_by_cutover(field: &str) -> Rule {
    from_cutover_on(field, &format!("self.spec.{field} == oldSelf.spec.{field}"))
}

/// An optional field of the spec that is frozen from the cutover on.
pub(super) fn frozen_by_cutover_if_any(field: &str) -> Rule {
    from_cutover_on(field, &same_if_any(field))
}

fn same_if_any(field: &str) -> String {
    format!(
        "has(self.spec.{field}) == has(oldSelf.spec.{field}) && (!has(self.spec.{field}) || self.spec.{field} == \
         oldSelf.spec.{field})"
    )
}

/// The presence of `status.resolved` is what says that preflight has passed.
fn after_preflight(field: &str, unchanged: &str) -> Rule {
    let message = format!(
        "{field} is frozen once preflight has passed (see status.resolved): a PostgresUpgrade is one upgrade; create \
         another one"
    );
    Rule::new(format!(
        "!has(oldSelf.status) || !has(oldSelf.status.resolved) || ({unchanged})"
    ))
    .message(message.as_str())
    .field_path(format!(".spec.{field}"))
}

/// Phases from the cutover on, and those that give up: both put back what the spec names.
const FROM_CUTOVER_ON: &str = "['CuttingOver', 'Soaking', 'CleaningUp', 'Succeeded', 'Aborting', 'Aborted', 'Failed']";

fn from_cutover_on(field: &str, unchanged: &str) -> Rule {
    Rule::new(format!(
        "!has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in {FROM_CUTOVER_ON}) || \
         ({unchanged})"
    ))
    .message(format!("{field} is frozen from the cutover on").as_str())
    .field_path(format!(".spec.{field}"))
}
