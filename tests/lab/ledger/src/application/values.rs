//! Random values in the text form in which PostgreSQL prints them.

use jiff::Timestamp;
use rand::Rng as _;
use rand::RngCore as _;
use rand::rngs::StdRng;

use crate::operation::hex;
use crate::session::Value;

/// 2025-01-01 00:00 UTC in seconds.
const FIRST_SECOND: i64 = 1_735_689_600;
/// Some more than two years: the last partition by name ends before.
const SECONDS: i64 = 70_000_000;
const NOISE_BYTES: usize = 40_000;
const SAYINGS: [&str; 6] = [
    "plain",
    "O'Brien",
    "back\\slash",
    "\"quoted\" | piped",
    "naïve ✓ 東京",
    "line\nbreak\ttab",
];

/// Makes values.
pub struct Values {
    random: StdRng,
    noise: String,
}

/// A value that is not NULL.
#[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]
pub fn text(value: impl ToString) -> Value {
    Some(value.to_string())
}

impl Values {
    /// Draws from this source.
    #[must_use]
    pub fn new(mut random: StdRng) -> Self {
        let mut noise = vec![0; NOISE_BYTES];
        random.fill_bytes(&mut noise);
        Self {
            random,
            noise: hex(&noise),
        }
    }

    /// True in so many of a thousand cases.
    pub fn in_thousand(&mut self, cases: u32) -> bool {
        self.random.random_range(0..1000) < cases
    }

    /// An integer below `below`.
    pub fn random_ticket(&mut self, below: u32) -> u32 {
        self.random.random_range(0..below)
    }

    /// An integer from 1 to `most`.
    pub fn up_to(&mut self, most: i64) -> i64 {
        self.random.random_range(1..=most.max(1))
    }

    /// A point in time within the partitions' years and a little beyond.
    pub fn time(&mut self) -> Value {
        let micros = self.random.random_range(0..SECONDS * 1_000_000) + FIRST_SECOND * 1_000_000;
        let time = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
        text(time.strftime("%Y-%m-%dT%H:%M:%S%.6f"))
    }

    /// A date, or NULL.
    pub fn birthday(&mut self) -> Value {
        let (year, month, day) = (1940 + self.up_to(60), self.up_to(12), self.up_to(28));
        (!self.in_thousand(200)).then(|| format!("{year:04}-{month:02}-{day:02}"))
    }

    /// An amount of money with two decimals.
    pub fn amount(&mut self) -> Value {
        let cents = self.up_to(99_999_999);
        text(format!("{}.{:02}", cents / 100, cents % 100))
    }

    /// A number with up to six decimals.
    pub fn number(&mut self) -> Value {
        let (whole, part) = (self.up_to(1000), self.up_to(999_999));
        text(format!("-{whole}.{part:06}"))
    }

    /// Words with quotes, backslashes, line breaks and other than ASCII letters among them.
    pub fn saying(&mut self) -> Value {
        let number = self.up_to(1_000_000);
        text(format!("{} {number}", self.one_of(&SAYINGS)))
    }

    /// One of several.
    pub fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.random.random_range(0..choices.len())]
    }

    /// An array of text.
    pub fn tags(&mut self) -> Value {
        text(format!(
            "{{\"two words\",tag{},\"it's \\\"{}\\\"\"}}",
            self.up_to(99),
            self.up_to(9)
        ))
    }

    /// An array of `numeric(6,2)`.
    pub fn dimensions(&mut self) -> Value {
        text(format!(
            "{{{}.50,{}.00,0.{}5}}",
            self.up_to(900),
            self.up_to(900),
            self.up_to(9)
        ))
    }

    /// A JSON object, its keys in jsonb's order.
    pub fn json(&mut self) -> Value {
        let number = self.up_to(1_000_000);
        let saying = serde_json::Value::from(self.one_of(&SAYINGS));
        text(format!(
            "{{\"n\": {number}, \"say\": {saying}, \"list\": [1, null, {{\"deep\": true}}]}}"
        ))
    }

    /// Text of so many bytes that doesn't compress; at most half of all the noise there is.
    pub fn large(&mut self, bytes: usize) -> Value {
        let start = self.random.random_range(0..self.noise.len() - bytes);
        text(&self.noise[start..start + bytes])
    }
}
