//! The gallery: what the seed documents say of Raft, each line as a story that is played in the
//! world, by the production node, with every law watched.
//!
//! A scenario is a script over a [`World`](crate::world::World) and a claim: it fails when what it
//! is to show did not happen. Its trace is drawn by [`crate::trace`].
//!
//! Luck (`crate::story`) is only asked for where a story begins.
//!
//! Stories of gossip stand beside: [`crate::pool::gallery`]; those of ways to a leader, too:
//! [`crate::compare::gallery`].

mod clusters;
mod disks;
mod elections;
mod logs;
mod partitions;
mod programs;
mod reads;
mod roles;
mod sessions;
mod space;
mod stage;
mod weather;
mod writes;

use crate::story::{Told, tell};
use crate::trace::{Picture, Timeline, Trace};
use stage::{Script, Stage};

/// A story with a claim.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its line in the seed documents; a letter behind it names another side of the same line.
    pub tag: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What happens, in a paragraph.
    pub story: &'static str,
    /// Heartbeats belong to the story.
    pub routine: bool,
    open: fn(u64) -> Stage,
    play: Script,
}

/// What came of a story.
#[derive(Debug)]
pub struct Outcome {
    /// What was seen.
    pub trace: Trace,
    /// What was expected and did not happen.
    pub verdict: Result<(), String>,
    /// The seed with which the dice fell right.
    pub seed: u64,
    /// When the curtain rose, in nanoseconds: before that the stage was set.
    pub from_ns: u64,
}

/// The most seeds that a story is tried with.
const SEEDS: u64 = 2_000;

impl Scenario {
    /// Plays the story.
    #[must_use]
    pub fn run(&self) -> Outcome {
        let played = |seed| {
            let mut stage = (self.open)(seed);
            let ended = (self.play)(&mut stage);
            (stage, ended)
        };
        let Told { stage, verdict, seed } = tell(SEEDS, played);
        let verdict = verdict.and_then(|()| stage.violated());
        let (trace, from_ns) = stage.finish();
        Outcome { trace, verdict, seed, from_ns }
    }

    /// How its picture is to be drawn.
    #[must_use]
    pub fn picture(&self, outcome: &Outcome) -> Picture {
        Picture {
            title: format!("{} · {}", self.tag, self.title),
            story: self.story.to_owned(),
            from_ns: outcome.from_ns,
            routine: self.routine,
        }
    }

    /// How its timeline is to be written, in lines of `width` characters.
    #[must_use]
    pub const fn timeline(&self, outcome: &Outcome, width: usize, colour: bool) -> Timeline {
        Timeline { width, colour, quiet: self.routine, from_ns: outcome.from_ns }
    }
}

/// All scenarios, in the order of their tags.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for theme in [
        &roles::SCENARIOS[..],
        &elections::SCENARIOS,
        &partitions::SCENARIOS,
        &clusters::SCENARIOS,
        &weather::SCENARIOS,
        &reads::SCENARIOS,
        &writes::SCENARIOS,
        &logs::SCENARIOS,
        &space::SCENARIOS,
        &disks::SCENARIOS,
        &sessions::SCENARIOS,
        &programs::SCENARIOS,
    ] {
        all.extend_from_slice(theme);
    }
    all.sort_by_key(|scenario| scenario.tag);
    all
}

/// The scenario of a tag.
#[must_use]
pub fn find(tag: &str) -> Option<Scenario> {
    all().into_iter().find(|scenario| scenario.tag == tag)
}
