//! Stories of small pools: what the seed documents say of gossip and of memberlist, line by line.
//!
//! A story is a script over a [`Pool`](super::Pool) and a claim, like those of
//! [`crate::gallery`]: it fails when what it is to show did not happen. Everything that members
//! said to each other is kept, so that a claim can ask for the very messages.

mod answering;
mod picture;
mod probing;
mod spreading;
mod stage;
mod telling;

use super::record::Seen;
use crate::story::{Step, Told, tell};
use stage::Stage;

/// A story with a claim.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// Its line in the seed documents.
    pub tag: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What happens, in a paragraph.
    pub story: &'static str,
    play: fn(u64) -> Played,
}

/// What a script gives: what was seen, and whether it came as it was to.
type Played = (Stage, Step);

/// What came of a story.
#[derive(Debug)]
pub struct Outcome {
    /// How many members there were.
    pub members: usize,
    /// Everything that happened.
    pub record: Vec<Seen>,
    /// What was expected and did not happen.
    pub verdict: Result<(), String>,
    /// The seed with which the dice fell right.
    pub seed: u64,
}

/// The most seeds that a story is tried with.
const SEEDS: u64 = 500;

impl Story {
    /// Plays it.
    #[must_use]
    pub fn run(&self) -> Outcome {
        let Told { stage, verdict, seed } = tell(SEEDS, self.play);
        let record = stage.pool.record().to_vec();
        Outcome { members: stage.pool.len(), record, verdict, seed }
    }
}

impl Outcome {
    /// All that happened, a line each, without pings and answers that carry no news unless
    /// `routine`.
    #[must_use]
    pub fn timeline(&self, routine: bool) -> String {
        let shown = self.record.iter().filter(|seen| routine || !seen.what.is_routine());
        shown.map(|seen| format!("{seen}\n")).collect()
    }
}

/// All stories, in the order of their tags.
#[must_use]
pub fn all() -> Vec<Story> {
    let mut all = Vec::new();
    let probing = [&probing::STORIES[..], &answering::STORIES];
    for theme in [&spreading::STORIES[..], &telling::STORIES].into_iter().chain(probing) {
        all.extend_from_slice(theme);
    }
    all.sort_by_key(|story| story.tag);
    all
}

/// The story of a tag.
#[must_use]
pub fn find(tag: &str) -> Option<Story> {
    all().into_iter().find(|story| story.tag == tag)
}
