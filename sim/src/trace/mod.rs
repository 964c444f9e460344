//! What a run looked like: a hash for machines, a record for people.
//!
//! Everything that the world shows of itself ([`Seen`]) goes through [`Trace::see`]. A running hash
//! of it is always kept: two runs are the same run when their hashes are equal. On demand the trace
//! also keeps a [`Record`], and everything that people look at is a pure function of it:
//!
//! ```text
//! world ─► Trace::see ─┬─► hash      always; a few nanoseconds an event
//!                      └─► Record ─┬─► timeline   text for a terminal
//!                                  ├─► json       for programs
//!                                  └─► svg        a picture with a lane for each node
//! ```
//!
//! The laws: a trace changes nothing of a run, recorded or not; equal records give equal texts and
//! pictures, to the byte; nothing shown depends on the time of day or on the machine.
//!
//! Left out: a record holds all of a run in memory. A run of hours at full load is judged by its
//! hash, and recorded from its seed when something is wrong with it.

mod hash;
mod line;
mod record;
mod svg;
mod timeline;
mod words;

use protocol::Time;

pub use line::{Carried, Kind, Line, Spot, Standing, What, name};
pub use record::{Boxed, NodeRecord, Record};
pub use svg::{Picture, svg};
pub use timeline::{Timeline, timeline};

pub(crate) use words::payload as payload_words;

use crate::seen::Seen;
use hash::Mix;

/// What a run looked like so far.
#[derive(Clone, Debug)]
pub struct Trace {
    mix: Mix,
    events: u64,
    record: Option<Record>,
}

impl Trace {
    /// A trace of a world of so many nodes: it hashes, and records when asked to.
    #[must_use]
    pub fn new(nodes: usize, record: bool) -> Self {
        Self { mix: Mix::new(), events: 0, record: record.then(|| Record::new(nodes)) }
    }

    /// Takes in what was seen at `now`. Times never fall.
    pub fn see(&mut self, now: Time, seen: &Seen<'_>) {
        self.mix.see(now, seen);
        self.events += 1;
        if let Some(record) = &mut self.record {
            record.see(now, seen);
        }
    }

    /// The hash of everything seen so far, times included.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.mix.value()
    }

    /// How much was seen so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// What was recorded; `None` when nothing was to be.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }
}

impl Record {
    /// The record as one JSON object: `nodes`, `lines`, `ended_ns`.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("invariant: a record has neither maps nor floats")
    }
}

/// A text in rows of at most `room` characters, broken at spaces; longer words stand alone.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match rows.last_mut() {
            Some(row) if row.chars().count() + 1 + word.chars().count() <= room => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}
