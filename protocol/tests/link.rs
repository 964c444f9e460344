//! Links over what may lose, repeat and overtake: nothing of a link is missing before both sides
//! know that it is over.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::link::{Frame, Links, Output};
use protocol::{NodeId, Rng, Time};

const BEAT: Duration = Duration::from_millis(100);

/// Two ends, and what is on its way between them.
struct World {
    rng: Rng,
    now: Time,
    ends: [Links<u64>; 2],
    way: BTreeMap<(Time, u64), (usize, Frame<u64>)>,
    sent: u64,
    /// Of each end: the link that is up, and the last word of each that was said and heard.
    up: [Option<u64>; 2],
    heard: [BTreeMap<u64, Vec<u64>>; 2],
    said: [BTreeMap<u64, Vec<u64>>; 2],
    /// Frames lost, repeated or late, of a hundred.
    bad: u64,
    words: u64,
}

const fn id(end: usize) -> NodeId {
    NodeId(end as u64 + 1)
}

impl World {
    fn new(seed: u64, bad: u64) -> Self {
        let end = |end: usize| {
            Links::new(&[id(1 - end)].into_iter().collect(), BEAT, seed * 2 + end as u64)
        };
        Self {
            rng: Rng::new(seed),
            now: Time(0),
            ends: [end(0), end(1)],
            way: BTreeMap::new(),
            sent: 0,
            up: [None; 2],
            heard: Default::default(),
            said: Default::default(),
            bad,
            words: 0,
        }
    }

    fn put_on_way(&mut self, to: usize, frame: Frame<u64>) {
        let fair = self.rng.below(100) >= self.bad;
        if !fair && self.rng.below(3) == 0 {
            return;
        }
        let copies = if fair { 1 } else { 1 + self.rng.below(2) };
        for _ in 0..copies {
            let late = if fair { 1 } else { 1 + self.rng.below(400) };
            self.sent += 1;
            let at = self.now + Duration::from_millis(late);
            self.way.insert((at, self.sent), (to, frame.clone()));
        }
    }

    fn drain(&mut self, end: usize) {
        while let Some(output) = self.ends[end].poll_output() {
            match output {
                Output::Transmit { to, frame } => {
                    assert_eq!(to, id(1 - end));
                    self.put_on_way(1 - end, frame);
                }
                Output::Up { generation, .. } => {
                    assert_eq!(self.up[end].replace(generation), None, "one link at a time");
                }
                Output::Down { generation, .. } => {
                    assert_eq!(self.up[end].take(), Some(generation));
                }
                Output::Word { generation, message, .. } => {
                    assert_eq!(self.up[end], Some(generation), "nothing before or after a link");
                    self.heard[end].entry(generation).or_default().push(message);
                }
            }
        }
    }

    /// Says something on a link that is up, or lets what is next happen.
    fn step(&mut self, talk: bool) {
        let end = usize::from(self.rng.below(2) == 0);
        if let (true, Some(generation)) = (talk && self.rng.below(2) == 0, self.up[end]) {
            self.words += 1;
            self.said[end].entry(generation).or_default().push(self.words);
            self.ends[end].say(id(1 - end), generation, self.words);
            return self.drain(end);
        }
        let timer = (0..2).filter_map(|end| Some((self.ends[end].poll_timeout()?, end))).min();
        let arrival = self.way.keys().next().copied();
        match (arrival, timer) {
            (Some(key), timer) if timer.is_none_or(|(due, _)| key.0 <= due) => {
                let (to, frame) = self.way.remove(&key).unwrap();
                self.now = self.now.max(key.0);
                self.ends[to].arrived(self.now, id(1 - to), frame);
                self.drain(to);
            }
            (_, Some((due, end))) => {
                self.now = self.now.max(due);
                self.ends[end].timeout(self.now);
                self.drain(end);
            }
            (_, None) => {}
        }
    }

    /// What was heard on each link is the beginning of what was said on one link of the other side,
    /// and no two links were heard from one.
    fn check(&self) {
        for end in 0..2 {
            let mut from = BTreeMap::new();
            for (generation, heard) in &self.heard[end] {
                let source = self.said[1 - end].iter().find(|(_, said)| said.contains(&heard[0]));
                let (source, said) = source.unwrap();
                assert!(said.starts_with(heard), "a gap: {heard:?} of {said:?}");
                assert_eq!(from.insert(source, generation), None, "two links of one");
            }
        }
    }
}

#[test]
fn on_a_good_way_there_is_one_link_and_all_is_heard() {
    let mut world = World::new(1, 0);
    for _ in 0..2_000 {
        world.step(true);
    }
    for _ in 0..100 {
        world.step(false);
    }
    world.check();
    assert_eq!((world.up[0], world.up[1]), (Some(1), Some(1)));
    assert!(world.words > 100);
    for end in 0..2 {
        assert_eq!(world.heard[end].get(&1), world.said[1 - end].get(&1));
    }
}

#[test]
fn whatever_is_lost_repeated_or_late_nothing_is_missed_in_silence() {
    let (mut heard, mut links) = (0, 0);
    for seed in 0..300 {
        let mut world = World::new(seed, 1 + seed % 30);
        for _ in 0..1_500 {
            world.step(true);
        }
        world.check();
        // Everything said on links that are up by then is heard, once the way is good again.
        world.bad = 0;
        for _ in 0..400 {
            world.step(false);
        }
        world.check();
        assert!(world.up.iter().all(Option::is_some), "seed {seed}: no link on a good way");
        for end in 0..2 {
            let generation = world.up[end].unwrap();
            let said = world.said[end].get(&generation).cloned().unwrap_or_default();
            let there = world.up[1 - end].unwrap();
            let arrived = world.heard[1 - end].get(&there).cloned().unwrap_or_default();
            assert_eq!(arrived, said, "seed {seed}: said on a link that is up, and not heard");
        }
        heard += world.heard.iter().flat_map(BTreeMap::values).map(Vec::len).sum::<usize>();
        links += world.heard.iter().map(BTreeMap::len).sum::<usize>();
    }
    assert!(heard > 10_000 && links > 600, "{heard} words on {links} links");
}

#[test]
fn a_broken_carrier_and_a_reset_end_the_link_for_both() {
    let mut world = World::new(3, 0);
    for _ in 0..40 {
        world.step(false);
    }
    world.ends[0].broke(world.now, id(1));
    world.drain(0);
    assert_eq!(world.up[0], None, "who lost the carrier is told at once");
    for _ in 0..40 {
        world.step(false);
    }
    assert_eq!((world.up[0], world.up[1]), (Some(2), Some(2)), "and there is a new link");
    world.ends[1].reset(world.now, id(0), 2);
    world.up[1] = None;
    world.drain(1);
    for _ in 0..40 {
        world.step(false);
    }
    assert_eq!((world.up[0], world.up[1]), (Some(3), Some(3)));
}
