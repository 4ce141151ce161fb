//! The rogue: a writer that nobody scales down and that goes on trying the address it was given.

use std::ops::RangeInclusive;

use crate::Error;
use crate::session::{Session, Value};
use crate::tables::ROGUE;
use crate::worker::Work;

/// One connection of the rogue.
pub struct Rogue {
    name: String,
    counter: u64,
    last: Option<Vec<Value>>,
}

impl Rogue {
    /// The rogue of this name, which nobody else has.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            counter: 0,
            last: None,
        }
    }
}

impl Work for Rogue {
    const BACK_OFF: RangeInclusive<u64> = 2..=5;

    async fn start(&mut self, _: &mut Session) -> Result<(), Error> {
        Ok(())
    }

    fn begin(&mut self) -> &'static str {
        "BEGIN"
    }

    /// Three rows, then a change of the last of them.
    async fn transact(&mut self, session: &mut Session) -> Result<String, Error> {
        self.counter += 1;
        if self.counter.is_multiple_of(4)
            && let Some(locator) = self.last.take()
            && session
                .update(&ROGUE, &locator, &[(2, Some("changed".into()))])
                .await?
                .is_some()
        {
            return Ok("RogueUpdate".into());
        }
        let values = [
            Some(format!("{}:{}", self.name, self.counter)),
            Some(format!("payload {}", self.counter)),
        ];
        let row = session.insert(&ROGUE, &values, 1).await?;
        self.last = Some(row.at(ROGUE.locator));
        Ok("RogueInsert".into())
    }
}
