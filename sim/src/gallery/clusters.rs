//! Nodes that fail and come back, while the cluster serves.

use super::Scenario;
use super::stage::{Stage, Step, claim, ms, options};
use crate::trace::{Carried, What, name};

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        tag: "s0_04",
        title: "A follower away and back catches up from the leader",
        story: "A follower crashes and misses two writes, which the other two commit without it. \
                When it is back, the leader finds out where its log ends and sends what is \
                missing.",
        routine: false,
        open: |seed| Stage::new(options(3), seed),
        play: s0_04,
    },
    Scenario {
        tag: "s1_02",
        title: "Serves while a majority works; failed nodes rejoin",
        story: "Of five nodes two crash: writes go on. A third crashes: now nothing can be \
                committed, and nothing is promised. One comes back, and the write that waited is \
                done; in the end all are back and equal.",
        routine: false,
        open: |seed| Stage::new(options(5), seed),
        play: s1_02,
    },
    Scenario {
        tag: "s1_04",
        title: "A slow minority does not slow the cluster",
        story: "The links to two of five nodes take 60 ms longer. A write is done when three have \
                it, in the time of the fast ones; the slow ones get it later.",
        routine: false,
        open: |seed| Stage::new(options(5), seed),
        play: s1_04,
    },
    Scenario {
        tag: "s1_14",
        title: "Followers and leaders crash; appends are repeated and harmless",
        story: "The leader keeps offering a crashed follower what it misses, until it is back. \
                Then the network delivers every message twice, and nothing is applied twice. \
                Last the leader crashes: a new one takes over with everything that was done.",
        routine: false,
        open: |seed| Stage::new(options(3), seed),
        play: s1_14,
    },
];

fn s0_04(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    stage.world.crash(2);
    stage.write(1, "x", "1")?;
    stage.pass(ms(60));
    stage.write(1, "y", "2")?;
    stage.note("n1 and n2 are a majority: both writes are done without n3.");
    stage.pass(ms(60));
    stage.world.start(2);
    stage.settle()?;
    stage.note("n3 has everything again.");
    for (key, value) in [("x", "1"), ("y", "2")] {
        claim(stage.find(2, key, value).is_some(), || format!("n3 misses {key}"))?;
    }
    claim(stage.leader()? == 1, || "the leader lost its authority".into())?;
    stage.claim_equal_logs()
}

fn s1_02(stage: &mut Stage) -> Step {
    stage.led_by(2)?;
    stage.world.crash(0);
    stage.world.crash(4);
    stage.note("Three of five are a majority.");
    stage.write(2, "x", "1")?;
    stage.pass(ms(20));
    stage.world.crash(3);
    let waiting = stage.put(2, "y", "2");
    stage.pass(ms(100));
    stage.claim_not_done(waiting)?;
    claim(stage.world.reply(waiting).is_none(), || "a promise was made without a majority".into())?;
    stage.note("Two of five are not. y=2 waits.");
    stage.world.start(4);
    stage.done(waiting)?;
    stage.note("n5 is back: a majority again, and y=2 is done.");
    stage.pass(ms(20));
    stage.world.start(0);
    stage.world.start(3);
    stage.settle()?;
    for at in 0..5 {
        for (key, value) in [("x", "1"), ("y", "2")] {
            claim(stage.find(at, key, value).is_some(), || format!("{} misses {key}", name(at)))?;
        }
    }
    stage.claim_equal_logs()
}

fn s1_04(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let before = stage.world.now();
    stage.write(1, "x", "1")?;
    let fast = stage.world.now() - before;
    stage.settle()?;
    stage.pass(ms(30));
    let links = [(1, 3), (3, 1), (1, 4), (4, 1)];
    stage.slow(&links, ms(60), "the links of n4 and n5 take 60 ms longer");
    let before = stage.world.now();
    stage.write(1, "y", "2")?;
    let slow = stage.world.now() - before;
    claim(slow < fast + ms(3), || format!("a write took {slow:?} instead of {fast:?}"))?;
    claim([3, 4].iter().all(|at| stage.find(*at, "y", "2").is_none()), || {
        "the slow ones were not slow".into()
    })?;
    stage.note("Done, as fast as before: three of five have it. The others get it later.");
    stage.settle()?;
    claim([3, 4].iter().all(|at| stage.find(*at, "y", "2").is_some()), || {
        "the slow ones never got it".into()
    })?;
    claim(stage.leader()? == 1, || "the leader lost its authority".into())
}

fn s1_14(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let revision = stage.view(1)?.revision;
    stage.world.crash(2);
    stage.write(1, "x", "1")?;
    stage.pass(ms(170));
    let tries = stage.lines().filter(|line| matches!(line.what, What::Sent { from: 1, to: 2, .. }));
    let tries = tries.count();
    claim(tries >= 3, || format!("the leader tried n3 {tries} times only"))?;
    stage.note("The leader goes on trying n3 with every heartbeat.");
    stage.world.start(2);
    stage.settle()?;
    stage.pass(ms(20));
    for from in 0..3 {
        for to in 0..3 {
            stage.world.network.link(from, to).weather.doubling = 1_000_000;
        }
    }
    stage.note("From now on every message arrives twice.");
    stage.write(1, "y", "2")?;
    stage.settle()?;
    let doubled =
        stage.lines().any(|line| matches!(line.what, What::Sent { fate: Carried::Twice(..), .. }));
    claim(doubled, || "nothing arrived twice".into())?;
    for at in 0..3 {
        let found = stage.view(at)?.revision;
        claim(found == revision + 2, || {
            format!("{} should be at revision {} and is at {found}", name(at), revision + 2)
        })?;
    }
    let weather = stage.world.options.weather;
    stage.world.network.heal(Some(weather));
    stage.pass(ms(20));
    stage.world.crash(1);
    let next = stage.successor(1, &[0, 2])?;
    stage.note("The new leader has both writes, and goes on.");
    stage.write(next, "z", "3")?;
    let read = stage.get(next, "y", false);
    stage.done(read)?;
    stage.claim_value(read, "2")
}
