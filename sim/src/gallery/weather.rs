//! Bad networks and wrong clocks.

use super::Scenario;
use super::stage::{Stage, Step, claim, dice, ms, options};
use crate::trace::{Carried, What, name};
use crate::world::Weather;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        tag: "s1_01",
        title: "Safe under delay, partition, loss, duplication and reordering",
        story: "The network loses some messages, delivers some twice and many out of order, and \
                cuts the leader off for a while. Writes take longer or find no majority; but what \
                was acknowledged stays, and in the end all logs are equal.",
        routine: false,
        open: |seed| {
            let mut options = options(3);
            options.weather =
                Weather { jitter: ms(9), loss: 120_000, doubling: 100_000, ..Weather::fair(ms(1)) };
            Stage::new(options, seed)
        },
        play: s1_01,
    },
    Scenario {
        tag: "s1_03",
        title: "Nothing depends on synchronised clocks",
        story: "The nodes' clocks begin anywhere. One runs a tenth too fast, one a tenth too slow, \
                and a follower's clock leaps by an hour: it thinks that its leader has long been \
                silent, asks around, and is told that it is not. Writes and reads go on as before.",
        routine: false,
        open: |seed| Stage::new(options(3), seed),
        play: s1_03,
    },
];

fn s1_01(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let mut acked = Vec::new();
    for (key, value) in [("a", "1"), ("b", "2")] {
        stage.write(1, key, value)?;
        acked.push((key, value));
    }
    stage.world.partition(&[&[1], &[0, 2]]);
    let lost = stage.put(1, "c", "3");
    let next = stage.another(1, &[0, 2])?;
    stage.write(next, "d", "4")?;
    acked.push(("d", "4"));
    stage.world.network.heal(None);
    stage.world.heal();
    stage.settle()?;
    dice(stage.leader()? == next, "the new leader stays")?;
    let (mut missed, mut twice, mut cut, mut overtaken) = (0, 0, 0, 0);
    let mut newest = [[0_u64; 3]; 3];
    for line in stage.lines() {
        match line.what {
            What::Sent { fate: Carried::Lost, .. } => missed += 1,
            What::Sent { fate: Carried::Cut, .. } => cut += 1,
            What::Sent { fate: Carried::Twice(..), .. } => twice += 1,
            What::Arrived { from, to, number, .. } => {
                overtaken += usize::from(number < newest[from][to]);
                newest[from][to] = newest[from][to].max(number);
            }
            _ => {}
        }
    }
    dice(missed > 0 && twice > 0 && overtaken > 0 && cut > 0, "all that can go wrong does")?;
    dice(stage.lines().filter(|line| !line.quiet).count() < 130, "it goes fast")?;
    for (key, value) in acked {
        for at in 0..3 {
            claim(stage.find(at, key, value).is_some(), || {
                format!("{} misses {key}={value}, which was acknowledged", name(at))
            })?;
        }
    }
    // What nobody acknowledged may be there or not, everywhere alike.
    claim(stage.world.reply(lost).is_none() || stage.find(0, "c", "3").is_some(), || {
        "c=3 was acknowledged and is gone".into()
    })?;
    stage.claim_equal_logs()?;
    stage.claim_one_leader_a_term()
}

/// An hour in nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

fn s1_03(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let term = stage.last_term(1);
    stage.world.set_clock(0, 1_100_000, 0);
    stage.world.set_clock(1, 900_000, 0);
    stage.write(1, "x", "1")?;
    stage.settle()?;
    stage.pass(ms(60));
    stage.world.set_clock(2, 1_000_000, HOUR);
    stage.pass(ms(30));
    stage.note("The others hear their leader: they do not let n3 campaign.");
    stage.write(1, "y", "2")?;
    let read = stage.get(2, "y", false);
    stage.done(read)?;
    stage.claim_value(read, "2")?;
    stage.pass(ms(600));
    let now = stage.world.now();
    let clock = |at: usize| stage.world.machines[at].clock.local(now).0;
    let apart = (0..3).map(clock).max().zip((0..3).map(clock).min());
    claim(apart.is_some_and(|(most, least)| most - least >= HOUR / 2), || {
        "the clocks agree".into()
    })?;
    claim(stage.leader()? == 1, || "the leader lost its authority".into())?;
    for at in 0..3 {
        stage.claim_term(at, term)?;
    }
    stage.settle()?;
    stage.claim_equal_logs()
}
