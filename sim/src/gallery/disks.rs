//! Disks that forget what they had confirmed, and where it comes back from.

use super::Scenario;
use super::stage::{Stage, Step, claim, dice, ms, options};
use crate::trace::name;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        tag: "s1_21",
        title: "Committed entries are durable against any minority of disk failures",
        story: "A follower dies, and a bit of a committed entry flips on its disk. Started again, \
                it knows from the identifiers in its log what it lacks. It asks the others before \
                it takes part in anything, puts the entry back in its old place, and is what it \
                was: it votes, and with the leader dead the two that are left go on.",
        routine: false,
        open: |seed| Stage::new(options(3), seed),
        play: s1_21,
    },
    Scenario {
        tag: "s1_21h",
        title: "Every disk damaged, and nothing lost: members heal each other",
        story: "All three nodes die, and each has other entries damaged. No majority of them is \
                whole, so nobody could be elected with what is on its own disk. But of each entry \
                one copy is intact somewhere: before there is any leader, they give each other \
                what they have.",
        routine: false,
        open: |seed| Stage::new(options(3), seed),
        play: helix,
    },
];

/// Ten writes, on all disks.
fn ten_writes(stage: &mut Stage) -> Step<u64> {
    stage.led_by(0)?;
    let first = stage.world.view(0).map_or(0, |view| view.last.index.0) + 1;
    for number in 0..10 {
        stage.write(0, &format!("k{number}"), &format!("v{number}"))?;
    }
    stage.settle()?;
    // The state would make up for it: it must not have come so far.
    dice(stage.world.view(0).is_some_and(|view| view.last.index.0 == first + 9), "nothing else")?;
    Ok(first)
}

fn read_all(stage: &mut Stage) -> Step {
    for number in 0..10 {
        let found = stage.find(0, &format!("k{number}"), &format!("v{number}"));
        claim(found.is_some(), || format!("k{number} is lost"))?;
    }
    Ok(())
}

fn s1_21(stage: &mut Stage) -> Step {
    let first = ten_writes(stage)?;
    stage.note("n3 dies; a bit of a committed entry flips on its disk.");
    stage.world.crash(2);
    claim(stage.world.spoil_entry(2, first + 4), || "there is nothing to damage".into())?;
    stage.world.start(2);
    claim(stage.world.lacks(2) == Some(1), || "n3 does not know what it lacks".into())?;
    stage.wait("n3 to be whole", |world| world.node(2).is_some())?;
    stage.settle()?;
    stage.note("It has its entry back. n1 dies: n2 and n3 are a majority.");
    stage.world.crash(0);
    let leader = stage.another(0, &[1, 2])?;
    stage.write(leader, "after", "all")?;
    stage.pass(ms(50));
    stage.world.start(0);
    stage.settle()?;
    read_all(stage)
}

fn helix(stage: &mut Stage) -> Step {
    let first = ten_writes(stage)?;
    stage.note("All die. Each disk forgets other entries.");
    (0..3).for_each(|at| stage.world.crash(at));
    for index in first..first + 10 {
        let at = usize::try_from(index % 3).unwrap_or(0);
        for hurt in [at, (at + 1) % 3] {
            claim(stage.world.spoil_entry(hurt, index), || format!("{} is whole", name(hurt)))?;
        }
    }
    (0..3).for_each(|at| stage.world.start(at));
    let lacks = (0..3).all(|at| stage.world.lacks(at).is_some_and(|lacks| lacks > 5));
    claim(lacks, || "they do not know what they lack".into())?;
    stage.wait("all to be whole", |world| (0..3).all(|at| world.node(at).is_some()))?;
    stage.wait("a leader", |world| world.leader().is_some())?;
    stage.settle()?;
    read_all(stage)
}
