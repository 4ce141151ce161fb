//! Durations as Kubernetes and Go write them: `90s`, `1h30m`, `1.93s`.
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A duration as Go's `time.ParseDuration` reads it, with the units h, m, s and ms.
/// <https://pkg.go.dev/time#ParseDuration>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration(Duration);

const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(h|m|s|ms))+$";
const MAX_LENGTH: usize = 16;
const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
const NANOS_IN_MILLI: u128 = 1_000_000;

impl GoDuration {
    /// A number of seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The same for Rust.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// For people: the two largest units, and hundredths below ten seconds (`1.93s`, `33s`, `4m10s`, `71h59m`).
    #[must_use]
    pub fn rounded(self) -> Self {
        let step = match self.0.as_secs() {
            0..10 => Duration::from_millis(10),
            10..3600 => Duration::from_secs(1),
            _ => Duration::from_mins(1),
        };
        let half = step / 2;
        let steps = (self.0.saturating_add(half)).as_nanos() / step.as_nanos();
        Self(nanos(steps * step.as_nanos()))
    }
}

fn nanos(nanos: u128) -> Duration {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
    Duration::new(seconds, rest)
}

impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<GoDuration> for Duration {
    fn from(duration: GoDuration) -> Self {
        duration.0
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.to_string()
    }
}

impl TryFrom<String> for GoDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration such as 90s, 1h30m or 100ms")]
pub struct InvalidDuration(String);

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration(text.to_owned());
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(invalid());
        }
        let mut total = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let (part, remaining) = leading_part(rest).ok_or_else(invalid)?;
            total += part;
            rest = remaining;
        }
        Ok(Self(nanos(total)))
    }
}

/// The nanoseconds of the first number and its unit, and what follows them.
fn leading_part(text: &str) -> Option<(u128, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(end);
    let (unit, millis) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = u32::try_from(fraction.len()).ok()?;
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = fraction.parse().ok()?;
    let unit_nanos = u128::from(millis) * NANOS_IN_MILLI;
    let part = whole * unit_nanos + fraction * unit_nanos / 10_u128.pow(digits);
    Some((part, &rest[unit.len()..]))
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis > 0 && millis < 1_000 {
            return write!(f, "{millis}ms");
        }
        let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        match millis % 1_000 {
            0 if seconds == 0 && (hours, minutes) != (0, 0) => Ok(()),
            0 => write!(f, "{seconds}s"),
            fraction => write!(f, "{seconds}.{}s", format!("{fraction:03}").trim_end_matches('0')),
        }
    }
}

impl JsonSchema for GoDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN, "maxLength": MAX_LENGTH })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let table = [
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("72h", 259_200_000),
            ("100ms", 100),
            ("1.5s", 1_500),
            ("0s", 0),
            ("1m0.5s", 60_500),
            ("0.25h", 900_000),
            ("5ms2m", 120_005),
        ];
        for (text, millis) in table {
            assert_eq!(
                text.parse::<GoDuration>().unwrap().get(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "s",
            "5d",
            "-5s",
            "5 s",
            "1..5s",
            ".5s",
            "1.s",
            "five",
            "99999999999999999h",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
        assert_eq!(
            "999999999999999h".parse::<GoDuration>().unwrap().get().as_secs(),
            999_999_999_999_999 * 3600
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        for millis in [
            0,
            7,
            99,
            100,
            999,
            1_000,
            1_934,
            60_000,
            61_000,
            3_600_000,
            3_661_000,
            259_200_000,
        ] {
            let duration = GoDuration::from(Duration::from_millis(millis));
            assert_eq!(
                duration.to_string().parse::<GoDuration>().unwrap(),
                duration,
                "{duration}"
            );
        }
        let written = |millis| GoDuration::from(Duration::from_millis(millis)).to_string();
        assert_eq!(written(120_000), "2m");
        assert_eq!(written(259_200_000), "72h");
        assert_eq!(written(7), "7ms");
        assert_eq!(written(1_930), "1.93s");
        assert_eq!(written(3_600_100), "1h0.1s");
    }

    #[test]
    fn people_see_two_units() {
        let rounded = |millis| GoDuration::from(Duration::from_millis(millis)).rounded().to_string();
        assert_eq!(rounded(0), "0s");
        assert_eq!(rounded(4), "0s");
        assert_eq!(rounded(1_934), "1.93s");
        assert_eq!(rounded(33_400), "33s");
        assert_eq!(rounded(250_700), "4m11s");
        assert_eq!(rounded(259_170_000), "72h");
        assert_eq!(rounded(259_100_000), "71h58m");
    }
}
