//! The three roles, and what each of them says.

use super::Scenario;
use super::stage::{Stage, Step, claim, dice, ms, options, plain};
use crate::trace::{Kind, Standing, What, name};

pub(super) const SCENARIOS: [Scenario; 5] = [
    Scenario {
        tag: "s0_01",
        title: "Three roles: follower, candidate, leader",
        story: "Every node starts as a follower and waits for a leader, for a time of its own. The \
                first whose patience ends asks around (pre-vote), becomes a candidate, wins the \
                votes of a majority and leads; the others follow it.",
        routine: false,
        open: |seed| Stage::new(options(3), seed),
        play: s0_01,
    },
    Scenario {
        tag: "s0_02",
        title: "A silent leader is replaced by a majority",
        story: "The leader crashes. A follower that hears nothing for its election timeout becomes \
                a candidate in the next term, asks the others for their votes, and leads when a \
                majority of the cluster, itself included, has given them.",
        routine: false,
        open: |seed| Stage::new(options(3), seed),
        play: s0_02,
    },
    Scenario {
        tag: "s0_03",
        title: "The leader alone takes writes",
        story: "A client writes through a follower, which hands the command to the leader. The \
                leader appends it and sends it to all; when a majority has it, it is committed, \
                and the node that was asked answers. Between writes the leader's heartbeats keep \
                its authority: nobody campaigns.",
        routine: false,
        open: |seed| Stage::new(options(3), seed),
        play: s0_03,
    },
    Scenario {
        tag: "s1_07",
        title: "Two requests do it all: votes, and appends that are also heartbeats",
        story: "RequestVote carries the candidate's term and the end of its log. AppendEntries \
                carries the leader's term, the entry before the new ones and the commit index; \
                without entries it is the heartbeat, here a small message of its own.",
        routine: true,
        open: |seed| Stage::new(plain(3), seed),
        play: s1_07,
    },
    Scenario {
        tag: "s1_09",
        title: "Random election timeouts, and heartbeats well below them",
        story: "Five nodes hear nothing of each other. Each loses patience at a time of its own \
                between 150 and 300 ms, so that rarely two campaign at once. When the links carry \
                again one of them wins, and a heartbeat every 50 ms keeps the others quiet.",
        routine: false,
        open: |seed| Stage::new(options(5), seed),
        play: s1_09,
    },
];

fn s0_01(stage: &mut Stage) -> Step {
    for at in 0..3 {
        let role = stage.view(at)?.role;
        claim(role == protocol::raft::Role::Follower, || {
            format!("{} starts as {role:?}", name(at))
        })?;
    }
    stage.note("All start as followers. Each waits 150 to 300 ms for a leader.");
    stage.wait("a leader", |world| world.leader().is_some())?;
    dice(stage.leader()? == 1, "the node in the middle leads")?;
    stage.note(
        "A majority has voted for n2: it leads term 1 and opens it with an entry of its own.",
    );
    stage.wait("its first entry", |world| {
        (0..3).all(|at| world.view(at).is_some_and(|view| view.commit.0 >= 1))
    })?;
    let became = |line: &crate::trace::Line| match line.what {
        What::Became { at: 1, standing, .. } => Some((standing, line.time_ns)),
        _ => None,
    };
    let path: Vec<_> = stage.lines().filter_map(became).collect();
    let roles: Vec<_> = path.iter().map(|(standing, _)| *standing).collect();
    let expected = [Standing::PreCandidate, Standing::Candidate, Standing::Leader];
    claim(roles == expected, || format!("n2 went through {roles:?}"))?;
    claim((150_000_000..=300_000_000).contains(&path[0].1), || {
        format!("n2 lost patience after {} ns", path[0].1)
    })
}

fn s0_02(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let term = stage.last_term(1);
    stage.note("The leader crashes: its heartbeats stop.");
    stage.world.crash(1);
    let next = stage.successor(1, &[0, 2])?;
    stage.note("A majority of three is two: its own vote and one more.");
    stage.settle()?;
    let first = stage.lines().find_map(|line| match line.what {
        What::Became { at, standing: Standing::PreCandidate, .. } => Some((at, line.time_ns)),
        _ => None,
    });
    let (at, woke) =
        first.ok_or_else(|| super::stage::Stop::Claim("nobody lost patience".into()))?;
    let lines = stage.world.trace().record().map_or(&[][..], |record| &record.lines);
    let heard =
        lines.iter().filter(|line| line.time_ns < woke).rev().find_map(|line| match line.what {
            What::Arrived { from: 1, to, .. } if to == at => Some(line.time_ns),
            _ => None,
        });
    let silence = woke - heard.unwrap_or(0);
    claim((150_000_000..=301_000_000).contains(&silence), || {
        format!("{} heard nothing for {silence} ns", name(at))
    })?;
    claim(stage.arrived(Kind::VoteReply, next) >= 1, || "there was no majority".into())?;
    stage.claim_term(next, term + 1)?;
    stage.claim_one_leader_a_term()
}

fn s0_03(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let term = stage.last_term(1);
    stage.note("A client asks a follower. It hands the command to the leader.");
    stage.write(0, "x", "1")?;
    stage.settle()?;
    stage.note("For a second only heartbeats: nobody campaigns.");
    stage.pass(ms(1_000));
    claim(stage.arrived(Kind::Propose, 1) >= 1, || "the command was not handed on".into())?;
    let others = stage
        .lines()
        .any(|line| matches!(line.what, What::Sent { kind: Kind::Append, from, .. } if from != 1));
    claim(!others, || "somebody else than the leader replicates".into())?;
    claim((0..3).all(|at| stage.find(at, "x", "1").is_some()), || "a log misses the write".into())?;
    claim(stage.leader()? == 1, || "the leader lost its authority".into())?;
    stage.claim_term(1, term)
}

fn s1_07(stage: &mut Stage) -> Step {
    stage.wait("a leader", |world| world.leader().is_some())?;
    dice(stage.leader()? == 1, "the node in the middle leads")?;
    stage.led_by(1)?;
    let term = stage.last_term(1);
    stage.note(
        "AppendEntries: the leader's term, the entry before, the entries, what is committed.",
    );
    let before = stage.view(1)?.last;
    stage.write(1, "x", "1")?;
    let last = stage.view(1)?.last;
    stage.note("An append without entries, and every heartbeat, tells what is committed.");
    stage.settle()?;
    stage.pass(ms(5));
    stage.world.crash(1);
    stage.successor(1, &[0, 2])?;
    stage.note("RequestVote: the next term, and where the candidate's log ends.");
    stage.pass(ms(3));
    let said = |wanted: Kind, part: &str| {
        stage.lines().any(|line| {
            matches!(line.what, What::Sent { kind, .. } if kind == wanted)
                && line.text.contains(part)
        })
    };
    let (one, two) = (before.index, last.index);
    for (kind, part) in [
        (Kind::Vote, format!("t{} Vote last={last}", term + 1)),
        (Kind::VoteReply, format!("t{} VoteReply yes", term + 1)),
        (Kind::Append, format!("t{term} Append base={before} [{last}] commit={one}")),
        (Kind::Accepted, format!("t{term} AppendAccepted {two}")),
        (Kind::Heartbeat, format!("commit={two}")),
    ] {
        claim(said(kind, &part), || format!("no message says {part:?}"))?;
    }
    Ok(())
}

fn s1_09(stage: &mut Stage) -> Step {
    stage.world.partition(&[&[0], &[1], &[2], &[3], &[4]]);
    stage.pass(ms(301));
    let mut woke = [None; 5];
    for line in stage.lines() {
        if let What::Became { at, standing: Standing::PreCandidate, .. } = line.what {
            woke[at] = woke[at].or(Some(line.time_ns));
        }
    }
    for (at, time) in woke.iter().enumerate() {
        claim(time.is_some_and(|time| (150_000_000..=300_000_000).contains(&time)), || {
            format!("{} lost patience at {time:?}", name(at))
        })?;
    }
    let distinct: std::collections::BTreeSet<_> = woke.iter().collect();
    claim(distinct.len() == 5, || format!("timeouts are not random: {woke:?}"))?;
    stage.world.heal();
    stage.wait("a leader", |world| {
        world.leader().is_some() && (0..5).all(|at| world.led_by(at) == world.leader())
    })?;
    let leader = stage.leader()?;
    let term = stage.last_term(leader);
    stage.settle()?;
    stage.note("A second of heartbeats: nobody's patience ends.");
    stage.pass(ms(1_000));
    claim(stage.leader()? == leader, || "the leader lost its authority".into())?;
    stage.claim_term(leader, term)
}
