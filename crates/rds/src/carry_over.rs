//! Which of a parameter group's values a new family takes. Pure.
use std::collections::BTreeMap;

use crate::Parameter;

/// What the user has set on the old group, as far as the new family knows it and lets it be set; and what that leaves
/// out, with the reason.
#[must_use]
pub fn carried_over(
    set: &BTreeMap<String, String>,
    family: &[Parameter],
) -> (BTreeMap<String, String>, Vec<(String, String)>) {
    let (mut kept, mut dropped) = (BTreeMap::new(), Vec::new());
    for (name, value) in set {
        match objection(family.iter().find(|parameter| parameter.name == *name), value) {
            None => {
                kept.insert(name.clone(), value.clone());
            }
            Some(reason) => dropped.push((name.clone(), reason)),
        }
    }
    (kept, dropped)
}

fn objection(parameter: Option<&Parameter>, value: &str) -> Option<String> {
    let Some(parameter) = parameter else {
        return Some("the new version has no such parameter here".to_owned());
    };
    if !parameter.is_modifiable {
        return Some("it can't be changed in the new version".to_owned());
    }
    let allowed = parameter.allowed_values.as_deref().unwrap_or_default();
    (!allows(allowed, value)).then(|| format!("{value} is not one of {allowed}"))
}

/// Whether a value fits `AllowedValues`: ranges (`-1-8388607`), and words or numbers with commas between (`on,off`).
/// Formulas (`{DBInstanceClassMemory/32768}`, `GREATEST(…)`) and what else may stand there are RDS's to judge.
fn allows(allowed: &str, value: &str) -> bool {
    let formula = value.contains(['{', '(']);
    let plain = |text: &str| {
        text.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_-.+".contains(letter))
    };
    let items: Vec<&str> = allowed
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect();
    if formula || items.is_empty() || !items.iter().all(|item| plain(item)) {
        return true;
    }
    if let [item] = items[..]
        && range(item).is_none()
    {
        return true;
    }
    let fits = |part: &str| items.iter().any(|item| *item == part || within(item, part));
    value.split(',').map(str::trim).all(fits)
}

fn within(item: &str, value: &str) -> bool {
    let (Some((low, high)), Ok(number)) = (range(item), value.parse::<f64>()) else {
        return false;
    };
    (low..=high).contains(&number)
}

/// The ends of `low-high`, of which each may be negative.
fn range(item: &str) -> Option<(f64, f64)> {
    item.match_indices('-')
        .find_map(|(at, dash)| Some((item[..at].parse().ok()?, item[at + dash.len()..].parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_new_family_allows_is_carried_over() {
        let parameter = |name: &str, is_modifiable, allowed: &str| Parameter {
            name: name.to_owned(),
            is_modifiable,
            allowed_values: Some(allowed.to_owned()),
            ..Parameter::default()
        };
        let family = [
            parameter("work_mem", true, "64-2147483647"),
            parameter("log_connections", true, "all,receipt,authentication,authorization"),
            parameter("fixed", false, ""),
            parameter("free", true, "^[a-z]*$"),
        ];
        let set: BTreeMap<String, String> = [
            ("work_mem", "4096"),
            ("log_connections", "on"),
            ("fixed", "1"),
            ("free", "anything"),
            ("gone", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let (kept, dropped) = carried_over(&set, &family);
        assert_eq!(
            kept.keys().map(String::as_str).collect::<Vec<_>>(),
            ["free", "work_mem"]
        );
        let names: Vec<&str> = dropped.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["fixed", "gone", "log_connections"]);
    }

    #[test]
    fn allowed_values() {
        let table = [
            ("", "x", true),
            ("0-10", "10", true),
            ("0-10", "11", false),
            ("-1-8388607", "-1", true),
            ("-1-8388607", "-2", false),
            ("-20--10", "-15", true),
            ("0-1.0", "0.5", true),
            ("0,1", "1", true),
            ("0,1", "2", false),
            ("-1,1-100", "50", true),
            ("-1,1-100", "0", false),
            ("on,off", "ON", false),
            ("all,receipt", "all, receipt", true),
            ("pgaudit,pg_stat_statements", "pg_stat_statements,plrust", false),
            ("64-2147483647", "{DBInstanceClassMemory/32768}", true),
            (
                "16-1073741823",
                "GREATEST({DBInstanceClassMemory/63963136*1024},65536)",
                true,
            ),
            ("(?:on|off)", "whatever", true),
            ("free-text", "whatever", true),
        ];
        for (allowed, value, expected) in table {
            assert_eq!(allows(allowed, value), expected, "{value} in {allowed}");
        }
    }
}
