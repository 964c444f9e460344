//! Stories of leaders: what the seed documents say of Bully, Raft and Zab, line by line.
//!
//! A story is a script over a contest and a claim, like those of [`crate::gallery`] and of
//! [`crate::pool::gallery`]: it fails when what it is to show did not happen. Everything that nodes
//! said to each other is kept, so that a claim can ask for the very messages.

mod bully;
mod picture;
mod shared;
mod stage;
mod zab;

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
    /// How many nodes there were.
    pub nodes: usize,
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
        let (nodes, record) = stage.finish();
        Outcome { nodes, record, verdict, seed }
    }
}

impl Outcome {
    /// All that happened, a line each, without signs of life and their answers unless `routine`.
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
    for theme in [&bully::STORIES[..], &zab::STORIES, &shared::STORIES] {
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
