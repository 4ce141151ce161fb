//! SQL for servers of several major versions in one text.

/// Leaves out the lines that are not for a major version. A line is for some versions if it ends in `-- from 15`,
/// `-- before 15` or `-- 15 to 16`.
pub(super) fn for_major(sql: &str, major: i32) -> String {
    let lines = sql.lines().filter(|line| applies(line, major));
    lines.collect::<Vec<_>>().join("\n")
}

fn applies(line: &str, major: i32) -> bool {
    let Some((_, comment)) = line.rsplit_once("-- ") else {
        return true;
    };
    let words: Vec<&str> = comment.split(' ').collect();
    let number = |word: &str| word.parse::<i32>().ok();
    match words.as_slice() {
        ["from", first] => number(first).is_none_or(|first| major >= first),
        ["before", end] => number(end).is_none_or(|end| major < end),
        [first, "to", last] => match (number(first), number(last)) {
            (Some(first), Some(last)) => (first..=last).contains(&major),
            _ => true,
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_kept_for_its_versions() {
        let sql = "a\nb -- from 15\nc -- before 15\nd -- 15 to 16\n-- Until 14 it is so.\ne -- as of 14";
        for (major, kept) in [(14, "a c"), (15, "a b d"), (16, "a b d"), (17, "a b")] {
            let text = for_major(sql, major);
            let found: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
            assert_eq!(found.join(" "), format!("{kept} -- e"), "{major}");
        }
    }
}
