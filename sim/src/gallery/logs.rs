//! Logs that differ, and how a new leader repairs them: the figures of the paper.

use protocol::raft::Role;

use super::Scenario;
use super::stage::{Stage, Step, claim, dice, ms, options, plain};
use crate::swarm::Options;
use crate::trace::{Kind, What, name};
use crate::world::World;

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        tag: "s1_16",
        title: "Committed: on a majority, and of the current term (Raft figure 8, a–c, e)",
        story: "An entry of term 2 is copied to a majority by the leader of term 4. That alone \
                does not commit it. When an entry of the leader's own term 4 is on a majority, \
                both are committed, the followers learn of it and apply them in order, and nobody \
                with another log can be elected.",
        routine: false,
        open: |seed| Stage::with_logs(figure_8(), seed, &FIGURE_8),
        play: s1_16,
    },
    Scenario {
        tag: "s1_16d",
        title: "On a majority, of an old term, not committed: overwritten (Raft figure 8, a–d)",
        story: "As before, an entry of term 2 is on a majority while term 4 is the leader's. The \
                leader crashes before an entry of its own term gets anywhere. n5, whose entry is \
                of term 3, may be elected and replaces it: counting copies would have been wrong.",
        routine: false,
        open: |seed| Stage::with_logs(figure_8(), seed, &FIGURE_8),
        play: s1_16d,
    },
    Scenario {
        tag: "s1_19",
        title: "The logs of Raft's figure 7, repaired by the leader of term 8",
        story: "n1 has the log of the figure's leader, n2 to n7 those of its followers (a) to (f): \
                entries are missing, too many, or both. n1 is elected by (a), (b), (e) and (f); \
                (c) and (d) refuse, for their logs are newer. Then it makes all logs equal to its \
                own.",
        routine: false,
        open: |seed| Stage::with_logs(options(7), seed, &FIGURE_7),
        play: s1_19,
    },
    Scenario {
        tag: "s1_20",
        title: "Backing off a term at a time",
        story: "The follower n3 led the terms 3 and 5, alone; its log parts from the leader's at \
                index 3. Each of its refusals names the term that is in the way and where that \
                begins in its log, so the leader skips a whole term with each, and not one entry.",
        routine: false,
        open: |seed| Stage::with_logs(options(3), seed, &BACK_OFF),
        play: s1_20,
    },
];

/// Terms by index, and the node's own term.
type Log = (&'static [u64], u64);

const LEADER_OF_8: &[u64] = &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
const F: &[u64] = &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3];

/// Raft figure 7: the leader, then (a) to (f).
const FIGURE_7: [Log; 7] = [
    (LEADER_OF_8, 7),
    (&[1, 1, 1, 4, 4, 5, 5, 6, 6], 6),
    (&[1, 1, 1, 4], 4),
    (&[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], 6),
    (&[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], 7),
    (&[1, 1, 1, 4, 4, 4, 4], 4),
    (F, 3),
];

const LEADER_OF_7: &[u64] = &[1, 1, 2, 2, 2, 4, 4, 4, 6, 6];
const BACK_OFF: [Log; 3] =
    [(LEADER_OF_7, 6), (LEADER_OF_7, 6), (&[1, 1, 1, 1, 3, 3, 3, 5, 5, 5, 5], 5)];

/// Raft figure 8, when n1 and n5 have both crashed: (b), with n5's entry of term 3.
const FIGURE_8: [Log; 5] = [(&[1, 2], 3), (&[1, 2], 2), (&[1], 3), (&[1], 3), (&[1, 3], 3)];

/// One entry a message: the copy of an old entry and that of a new one are two events.
fn figure_8() -> Options {
    let mut options = plain(5);
    options.consensus.append_bytes = 1;
    options
}

fn s1_19(stage: &mut Stage) -> Step {
    stage.note("Only n1 and (d) know of term 7; n1 asks for votes in term 8.");
    stage.wait("a leader", |world| world.leader().is_some())?;
    dice(stage.leader()? == 0 && stage.last_term(0) == 8, "n1 leads term 8")?;
    stage.wait("equal logs", |world| {
        let leader = world.log(0);
        leader.len() > 10 && (1..7).all(|at| world.log(at).get(..11) == leader.get(..11))
    })?;
    stage.wait("commitment", |world| {
        (0..7).all(|at| world.view(at).is_some_and(|view| view.commit.0 >= 11))
    })?;
    stage.note("All logs are n1's, with its first entry of term 8 at index 11.");
    let mut expected = LEADER_OF_8.to_vec();
    expected.push(8);
    for at in 0..7 {
        let terms = stage.terms(at);
        claim(terms.get(..11) == Some(&expected[..]), || format!("{} has {terms:?}", name(at)))?;
    }
    for at in [3, 4] {
        let granted = stage.lines().any(|line| match line.what {
            What::Sent { from, kind: Kind::VoteReply | Kind::PreVoteReply, .. } => {
                from == at && line.text.contains("yes")
            }
            _ => false,
        });
        claim(!granted, || format!("{} voted for a log older than its own", name(at)))?;
    }
    let mut removed = [None; 7];
    for line in stage.lines() {
        if let What::Wrote { at, cut: Some(cut), .. } = line.what {
            removed[at] = removed[at].or(Some(cut));
        }
    }
    let cuts = [None, None, None, Some((11, 11)), Some((11, 12)), Some((6, 7)), Some((4, 11))];
    claim(removed == cuts, || format!("removed were {removed:?}"))
}

fn s1_20(stage: &mut Stage) -> Step {
    stage.wait("a leader", |world| world.leader().is_some())?;
    dice(stage.leader()? == 0 && stage.last_term(0) == 7, "n1 leads term 7")?;
    dice(stage.arrived(Kind::PreVote, 0) == 0, "nobody else asks")?;
    stage.wait("equal logs", |world| {
        let leader = world.log(0);
        leader.len() > 10 && world.log(2).get(..11) == leader.get(..11)
    })?;
    let refusals: Vec<&str> = stage
        .lines()
        .filter(|line| matches!(line.what, What::Sent { kind: Kind::Rejected, from: 2, .. }))
        .map(|line| line.text.as_str())
        .collect();
    let named = ["conflict=8@5", "conflict=5@3", "conflict=1@1"];
    let fits = refusals.len() == 3
        && refusals.iter().zip(named).all(|(refusal, name)| refusal.contains(name));
    claim(fits, || format!("n3 refused with {refusals:?}"))?;
    stage.note("Three refusals, one for each of n3's terms. Entry by entry it would be eight.");
    stage.pass(ms(2));
    Ok(())
}

/// Until (c): n1 leads term 4 and has copied its entry of term 2 to n3, and nothing else. Here n5
/// crashes just after n1's election and not just before: so it has heard of term 4.
fn old_entry_on_a_majority(stage: &mut Stage) -> Step {
    stage.note("(b) n1 and n2 have an entry of term 2, n5 has one of term 3.");
    stage.wait("n1's question", |world| {
        (1..5).all(|at| world.view(at).is_some_and(|view| view.term.0 == 4))
            || world.leader().is_some()
            || world.view(0).is_some_and(|view| view.term.0 > 4)
    })?;
    dice(stage.world.leader().is_none() && stage.last_term(0) == 4, "n1 asks in term 4")?;
    // In the figure n2 gets nothing new from n1 in (c), nor does n4.
    stage.world.cut_links("one way", &[(0, 1), (0, 3)]);
    stage.wait("a leader", |world| world.leader().is_some())?;
    dice(stage.leader()? == 0 && stage.last_term(0) == 4, "n1 leads term 4")?;
    stage.world.crash(4);
    stage.wait("the copy", |world| world.log(2).len() == 2)?;
    stage.world.cut_links("one way", &[(0, 2)]);
    stage.wait("its acknowledgement", |world| {
        world.trace().record().is_some_and(|record| {
            record.lines.iter().rev().take(20).any(|line| {
                matches!(line.what, What::Arrived { from: 2, to: 0, kind: Kind::Accepted, .. })
            })
        })
    })?;
    dice(stage.terms(2) == [1, 2] && stage.terms(3) == [1], "the copy is as in the figure")?;
    for at in [0, 1, 2] {
        claim(stage.terms(at).get(..2) == Some(&[1, 2]), || format!("{} misses it", name(at)))?;
    }
    let commit = stage.view(0)?.commit.0;
    claim(commit < 2, || format!("n1 committed through {commit} by counting copies"))?;
    stage.note(
        "(c) n5 has crashed, n1 leads. The entry of term 2 is on three of five, and not \
         committed: it is not of term 4.",
    );
    Ok(())
}

fn s1_16d(stage: &mut Stage) -> Step {
    old_entry_on_a_majority(stage)?;
    stage.world.crash(0);
    stage.world.heal();
    stage.world.start(4);
    let campaigns = |world: &World| {
        (1..4).any(|at| world.view(at).is_some_and(|view| view.role == Role::Candidate))
    };
    let mut others = false;
    stage.wait("a leader", |world| {
        others |= campaigns(world);
        others || world.leader().is_some()
    })?;
    dice(!others && stage.leader()? == 4, "n5 alone asks")?;
    stage.note("(d) n5 is elected by n2, n3 and n4: its last term, 3, is later than theirs.");
    stage.wait("n5's entry everywhere", |world| {
        (1..5).all(|at| {
            world.log(at).get(1).is_some_and(|entry| entry.position.term.0 == 3)
                && world.view(at).is_some_and(|view| view.commit.0 >= 3)
        })
    })?;
    for at in 1..5 {
        let terms = stage.terms(at);
        claim(terms.starts_with(&[1, 3]), || format!("{} has {terms:?}", name(at)))?;
    }
    stage.claim_one_leader_a_term()
}

fn s1_16(stage: &mut Stage) -> Step {
    old_entry_on_a_majority(stage)?;
    stage.world.heal();
    stage.note("(e) Now an entry of term 4 gets to a majority, too.");
    stage.wait("commitment", |world| world.view(0).is_some_and(|view| view.commit.0 >= 3))?;
    stage.note("Committed, and with it all before it. Even if n1 crashes now:");
    stage.pass(ms(8));
    stage.world.crash(0);
    stage.world.start(4);
    let next = stage.another(0, &[1, 2, 3, 4])?;
    claim(next != 4, || "n5 leads without the committed entries".into())?;
    stage.wait("n5 to have them", |world| {
        world.view(4).is_some_and(|view| view.commit.0 >= 3) && world.log(4).len() >= 3
    })?;
    for at in 1..5 {
        let terms = stage.terms(at);
        claim(terms.starts_with(&[1, 2, 4]), || format!("{} has {terms:?}", name(at)))?;
    }
    stage.claim_one_leader_a_term()
}
