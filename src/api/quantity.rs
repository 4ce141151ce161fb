//! Sizes as Kubernetes writes them: `64Gi`.
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A number of bytes as a Kubernetes quantity with binary suffix.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

const PATTERN: &str = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti)?$";
const MAX_LENGTH: usize = 16;
const SUFFIXES: [(&str, i64); 4] = [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

impl Quantity {
    /// So many GiB.
    #[must_use]
    pub const fn gibibytes(number: i32) -> Self {
        Self((number as i64) << 30)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> i64 {
        self.0
    }
}

impl From<i64> for Quantity {
    fn from(bytes: i64) -> Self {
        Self(bytes)
    }
}

/// A text that is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a size such as 64Gi or 512Mi")]
pub struct InvalidQuantity(String);

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = || InvalidQuantity(text.to_owned());
        if text.len() > MAX_LENGTH {
            return Err(invalid());
        }
        let found = SUFFIXES
            .into_iter()
            .find_map(|(suffix, unit)| text.strip_suffix(suffix).map(|number| (number, unit)));
        let (number, unit) = found.unwrap_or((text, 1));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if [whole, fraction]
            .iter()
            .any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(invalid());
        }
        let digits = u32::try_from(fraction.len()).map_err(|_| invalid())?;
        let whole: i128 = whole.parse().map_err(|_| invalid())?;
        let fraction: i128 = fraction.parse().map_err(|_| invalid())?;
        let bytes = whole * i128::from(unit) + fraction * i128::from(unit) / 10_i128.pow(digits);
        Ok(Self(i64::try_from(bytes).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SUFFIXES.into_iter().find(|(_, unit)| self.0 != 0 && self.0 % unit == 0) {
            Some((suffix, unit)) => write!(f, "{}{suffix}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrNumber)
    }
}

struct TextOrNumber;

impl Visitor<'_> for TextOrNumber {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes or a size such as 64Gi")
    }

    fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<Quantity, E> {
        Ok(Quantity(bytes))
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Quantity, E> {
        Ok(Quantity(i64::try_from(bytes).unwrap_or(i64::MAX)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "x-kubernetes-int-or-string": true,
            "pattern": PATTERN,
            "maxLength": MAX_LENGTH,
            "minimum": 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        let table = [
            ("64Gi", 64 << 30),
            ("1.5Gi", 3 << 29),
            ("512", 512),
            ("20Mi", 20 << 20),
            ("0", 0),
            ("2Ti", 2 << 40),
        ];
        for (text, bytes) in table {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.bytes(), bytes, "{text}");
            assert_eq!(quantity.to_string().parse::<Quantity>().unwrap(), quantity, "{text}");
        }
        for text in [
            "",
            "Gi",
            "1.",
            ".5Gi",
            "-1",
            "1GB",
            "1 Gi",
            "1.2.3",
            "99999999999999999",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
        assert_eq!("99999999999999Ti".parse::<Quantity>().unwrap().bytes(), i64::MAX);
    }

    #[test]
    fn plain_numbers_are_bytes() {
        assert_eq!(serde_json::from_str::<Quantity>("1024").unwrap().bytes(), 1024);
        assert_eq!(serde_json::from_str::<Quantity>("\"1Ki\"").unwrap().bytes(), 1024);
        assert_eq!(serde_json::to_string(&Quantity::gibibytes(64)).unwrap(), "\"64Gi\"");
    }
}
