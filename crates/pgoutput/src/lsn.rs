//! A position in the WAL.
use std::fmt;

/// A byte position in the WAL, shown as PostgreSQL does: `136/DFC70140`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

#[cfg(test)]
mod tests {
    use super::Lsn;

    #[test]
    fn shown_in_two_halves() {
        for (value, text) in [
            (0, "0/0"),
            (0x0000_0136_DFC7_0140, "136/DFC70140"),
            (u64::MAX, "FFFFFFFF/FFFFFFFF"),
        ] {
            assert_eq!(Lsn(value).to_string(), text);
        }
    }
}
