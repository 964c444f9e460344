//! Leaders that are away: paused, cut off, in a minority.

use super::Scenario;
use super::stage::{Stage, Step, claim, ms, options, plain};
use crate::trace::{Standing, What, name};

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        tag: "s0_05",
        title: "A leader away and back compares terms and steps down",
        story: "The leader's process stands still, as in a long pause of a garbage collector. The \
                others elect a new leader in the next term. When the old one wakes up it still \
                believes to lead; what it hears then shows it the higher term, and it follows.",
        routine: false,
        open: |seed| Stage::new(plain(3), seed),
        play: s0_05,
    },
    Scenario {
        tag: "s0_06",
        title: "The old leader's diverging entries are replaced",
        story: "A leader that is cut off still appends what it is asked to, and cannot commit it. \
                The others elect a new leader, which commits another entry at the same index. \
                When the link is back, the old leader's entry is removed and replaced.",
        routine: false,
        open: |seed| {
            let mut options = plain(3);
            options.stores.request_timeout = ms(400);
            Stage::new(options, seed)
        },
        play: s0_06,
    },
    Scenario {
        tag: "s1_05",
        title: "No split brain: a leader in the minority cannot commit",
        story: "A leader and one follower are cut off from three others, who elect a leader in the \
                next term. For a while two nodes lead, each in a term of its own; but only the one \
                with a majority can commit or prove that it leads: clients of the other get no \
                answer.",
        routine: false,
        open: |seed| Stage::new(plain(5), seed),
        play: s1_05,
    },
    Scenario {
        tag: "s1_13",
        title: "The partition story: two against three",
        story: "Five nodes are cut into the leader with one follower, and the other three. Writes \
                to the minority fail; the majority elects a leader of its own and goes on. When \
                the links are back, the minority rolls back what was not committed and converges.",
        routine: false,
        open: |seed| {
            let mut options = options(5);
            options.stores.request_timeout = ms(450);
            Stage::new(options, seed)
        },
        play: s1_13,
    },
];

fn s0_05(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let term = stage.last_term(1);
    stage.world.pause(1);
    let next = stage.successor(1, &[0, 2])?;
    stage.write(next, "x", "1")?;
    stage.note("The old leader wakes up. It does not know how late it is.");
    stage.world.resume(1);
    stage.settle()?;
    let down = stage.lines().any(|line| {
        matches!(
            line.what,
            What::Became { at: 1, standing: Standing::Follower, was: Standing::Leader, term: new }
                if new == term + 1
        )
    });
    claim(down, || "the old leader did not step down into the new term".into())?;
    claim(stage.leader()? == next, || "the new leader did not stay".into())?;
    claim(stage.find(1, "x", "1").is_some(), || "the old leader misses the write".into())?;
    stage.claim_one_leader_a_term()
}

fn s0_06(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    stage.world.partition(&[&[1], &[0, 2]]);
    let lost = stage.put(1, "x", "old");
    stage.note("x=old stands in the log of n2 alone: it is not committed.");
    let next = stage.successor(1, &[0, 2])?;
    stage.write(next, "x", "new")?;
    stage.wait("the client to give up", |world| world.reply(lost).is_some())?;
    stage.claim_not_done(lost)?;
    let old = stage.find(1, "x", "old");
    claim(old.is_some(), || "the old leader did not append x=old".into())?;
    stage.world.heal();
    stage.note("The new leader's entries replace it; what was committed stays.");
    stage.wait("n2 to give way", |world| {
        world.leader() == Some(next) && world.led_by(1) == Some(next)
    })?;
    stage.wait("n2 to catch up", |world| {
        world.view(1).zip(world.view(next)).is_some_and(|(old, new)| old.last == new.last)
    })?;
    let cut = stage.lines().find_map(|line| match line.what {
        What::Wrote { at: 1, cut: Some((from, _)), .. } => Some(from),
        _ => None,
    });
    claim(cut == old.map(|position| position.index.0), || {
        format!("n2 should have removed its entries from {old:?} on, and did from {cut:?}")
    })?;
    stage.settle()?;
    stage.pass(ms(3));
    claim(stage.find(1, "x", "old").is_none(), || "n2 still has x=old".into())?;
    claim(stage.find(1, "x", "new").is_some(), || "n2 misses x=new".into())?;
    stage.claim_equal_logs()
}

/// The places on the side of the majority, when the leader takes its neighbour along.
const MAJORITY: [usize; 3] = [2, 3, 4];

fn s1_05(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    stage.world.partition(&[&[0, 1], &MAJORITY]);
    let next = stage.successor(1, &MAJORITY)?;
    let old = stage.view(1)?;
    claim(old.role == protocol::raft::Role::Leader, || "the old leader gave up".into())?;
    stage.note("Two leaders now, in two terms. Each is asked to write.");
    let lost = stage.put(1, "x", "minority");
    let kept = stage.put(next, "x", "majority");
    stage.done(kept)?;
    let stale = stage.get(1, "x", false);
    stage.pass(ms(120));
    stage.claim_not_done(lost)?;
    claim(stage.world.reply(stale).is_none(), || {
        "a leader without a majority answered a linearizable read".into()
    })?;
    let commit = stage.view(1)?.commit;
    claim(commit == old.commit, || format!("the minority commits through {commit}"))?;
    stage.note("Three of five made the write durable. Two of five can neither write nor read.");
    let read = stage.get(next, "x", false);
    stage.done(read)?;
    stage.claim_value(read, "majority")?;
    stage.claim_one_leader_a_term()
}

fn s1_13(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    stage.world.partition(&[&[0, 1], &MAJORITY]);
    let lost = stage.put(1, "x", "minority");
    let leads = |view: crate::seen::View| view.role == protocol::raft::Role::Leader;
    stage.wait("n2 to notice", |world| !world.view(1).is_some_and(leads))?;
    stage.note("n2 has noticed that it reaches no majority, and leads no more.");
    let next = stage.successor(1, &MAJORITY)?;
    stage.note("Three of five are a majority: n3, n4 and n5 have a leader, and go on.");
    stage.write(next, "x", "majority")?;
    stage.wait("the minority's client to be told", |world| world.reply(lost).is_some())?;
    stage.claim_not_done(lost)?;
    let uncommitted = stage.find(1, "x", "minority");
    claim(uncommitted.is_some(), || "the minority did not append".into())?;
    stage.world.heal();
    stage.settle()?;
    stage.note("The minority has removed its entry, taken the others', and follows.");
    for at in 0..5 {
        claim(stage.find(at, "x", "majority").is_some(), || {
            format!("{} misses the majority's write", name(at))
        })?;
        claim(stage.find(at, "x", "minority").is_none(), || {
            format!("{} kept the minority's write", name(at))
        })?;
    }
    let read = stage.get(1, "x", false);
    stage.done(read)?;
    stage.claim_value(read, "majority")?;
    stage.claim_equal_logs()?;
    stage.claim_one_leader_a_term()
}
