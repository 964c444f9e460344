//! The classic mode: what it costs, and what it does when the network is split.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::bully::{Config, Input, Mode, Ranking, Standing, Timing};
use protocol::{NodeId, Rng};

use super::agenda::Event;
use super::clock::Clock;
use super::laws::Broken;
use super::member::Member;
use super::network::Network;
use super::stage::{Pace, Stage, nanos};
use crate::draw::Draw;

pub(super) const MS: Duration = Duration::from_millis(1);

/// Who notices that the best one has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detector {
    /// The one with the lowest rank.
    Lowest,
    /// The one that will lead.
    SecondHighest,
    /// All at once.
    All,
}

/// What a split did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The most that led at one time while the network was split.
    pub leaders: usize,
    /// How many led in the end, when it had healed.
    pub healed: usize,
}

/// A network on which all arrives within so long.
pub(super) fn calm(delay: Duration) -> Network {
    let cut = BTreeSet::new();
    Network { lost: 0, doubled: 0, late: 0, delay, lateness: delay, cut }
}

/// Disks and programs that are quick, and a pool that is right.
pub(super) const fn quick() -> Pace {
    Pace { disk: MS..=MS, stop: MS..=MS, silent: 0, mistaken: 0 }
}

pub(super) fn stage(seed: u64, count: usize, mode: &Mode) -> Stage {
    let member = |id| {
        let timing = Timing { alive: 60 * MS, victory: 150 * MS };
        let ranking = Ranking::Id;
        let config = Config { id: NodeId(id), priority: 0, ranking, timing, mode: mode.clone() };
        Member::new(config, Clock::new(0))
    };
    let members = (1..=count as u64).map(member).collect();
    Stage::new(Rng::new(seed), members, calm(10 * MS), quick())
}

/// Lets a world go on, with a round of gossip now and then in which everybody hears of everybody.
pub(super) fn run(stage: &mut Stage, length: Duration) -> Result<usize, Broken> {
    let end = stage.now + nanos(length);
    let mut most = 0;
    while stage.now < end {
        stage.gossip(100)?;
        let until = (stage.now + nanos(50 * MS)).min(end);
        while stage.next(until)?.is_some_and(|event| event != Event::Gossip) {}
        most = most.max(stage.leaders());
    }
    Ok(most)
}

/// Everybody is up and follows the best one.
fn settled(seed: u64, count: usize) -> Result<Stage, Broken> {
    let mut stage = stage(seed, count, &Mode::Classic);
    for who in 0..count {
        stage.start(who)?;
    }
    run(&mut stage, 1_000 * MS)?;
    stage.counts.sent.clear();
    Ok(stage)
}

/// Messages by kind from the death of the best of so many to the victory of the next.
///
/// # Errors
/// A law that was broken, which are the safe mode's: none.
pub fn count(n: usize, detector: Detector) -> Result<BTreeMap<&'static str, u64>, Broken> {
    let mut stage = settled(n as u64, n)?;
    stage.crash(n - 1);
    let Some(shown) = stage.members[n - 1].shown.clone() else { return Ok(BTreeMap::new()) };
    let detectors = match detector {
        Detector::Lowest => 0..1,
        Detector::SecondHighest => n - 2..n - 1,
        Detector::All => 0..n - 1,
    };
    let standing = Standing::Suspect;
    for who in detectors {
        stage.handle(who, Input::Saw { shown: shown.clone(), standing })?;
    }
    let until = stage.now + nanos(1_000 * MS);
    while stage.next(until)?.is_some() {}
    Ok(stage.counts.sent)
}

/// Splits four to nine candidates in two, and heals the network.
///
/// # Errors
/// A law that was broken, which are the safe mode's: none.
pub fn split(seed: u64) -> Result<Split, Broken> {
    let mut rng = Rng::new(seed);
    let count = 4 + rng.place(6);
    let mut stage = settled(seed, count)?;
    let first = 1 + rng.place(count - 1);
    let places: Vec<u64> = (0..count).map(|who| u64::from(who < first)).collect();
    stage.network.split(&places);
    let leaders = run(&mut stage, 1_000 * MS)?;
    stage.network.heal();
    run(&mut stage, 1_000 * MS)?;
    Ok(Split { leaders, healed: stage.leaders() })
}
