//! Terms and votes.

use protocol::raft::Role;

use super::Scenario;
use super::stage::{Stage, Step, Stop, claim, dice, ms, plain};
use crate::trace::{Kind, Standing, What, name};

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        tag: "s1_08",
        title: "Terms are a logical clock",
        story: "Without pre-vote, a node that is cut off campaigns in one term after the other. \
                When it is back, everyone who hears of its higher term adopts it, and the leader \
                of the old term steps down; what is said in the old term is refused.",
        routine: false,
        open: |seed| Stage::new(plain(3), seed),
        play: s1_08,
    },
    Scenario {
        tag: "s1_10",
        title: "One vote a node and term, first come, first served, on disk before it is told",
        story: "Two nodes campaign in the same term. The third gives its vote to the one whose \
                request comes first, writes that down, and only then says so. The other gets a no.",
        routine: false,
        open: |seed| {
            let mut options = plain(3);
            options.consensus.election = ms(150)..=ms(170);
            Stage::new(options, seed)
        },
        play: s1_10,
    },
    Scenario {
        tag: "s1_11",
        title: "A vote only for a log at least as up to date",
        story: "A follower is down while a write is committed. It is back just when the leader \
                crashes, and asks for votes first; but its log is behind, so it gets none. The \
                node with the write wins, and no acknowledged write is lost.",
        routine: false,
        open: |seed| Stage::new(plain(3), seed),
        play: s1_11,
    },
    Scenario {
        tag: "s1_12",
        title: "A split vote ends by random retries: won, lost, none",
        story: "Four nodes on slow links, without pre-vote. Two campaign at almost the same time \
                and get two votes each: nobody wins that term. Their timeouts are random, so one \
                asks earlier the next time and wins; who still campaigns has lost and follows.",
        routine: false,
        open: |seed| {
            let mut options = plain(4);
            options.weather = crate::world::Weather::fair(ms(12));
            Stage::new(options, seed)
        },
        play: s1_12,
    },
];

fn s1_08(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let term = stage.last_term(1);
    stage.world.partition(&[&[0, 1], &[2]]);
    stage
        .wait("terms to pass", |world| world.view(2).is_some_and(|view| view.term.0 >= term + 2))?;
    stage.pass(ms(15));
    stage.note("n3 is two terms ahead, alone. The others have not noticed.");
    stage.claim_term(1, term)?;
    let asked = stage.arrived(Kind::Vote, 1);
    stage.world.heal();
    stage.wait("the old leader to step down", |world| {
        world.view(1).is_some_and(|view| view.term.0 >= term + 2)
    })?;
    dice(stage.arrived(Kind::Vote, 1) == asked, "the leader speaks first")?;
    let stale = stage.lines().any(|line| {
        matches!(line.what, What::Arrived { from: 1, to: 2, term: said, .. } if said == term)
    });
    claim(stale, || "n3 was told nothing in the old term".into())?;
    let down = stage.lines().any(|line| {
        matches!(
            line.what,
            What::Became { at: 1, standing: Standing::Follower, was: Standing::Leader, .. }
        )
    });
    claim(down, || "the old leader did not step down".into())?;
    stage.note(
        "n3 refuses what is said in the old term. Its answer shows the newer one, and the leader \
         of the old one steps down.",
    );
    stage.wait("a leader", |world| {
        world.leader().is_some_and(|at| world.view(at).is_some_and(|view| view.term.0 > term))
    })?;
    stage.settle()?;
    let term = stage.last_term(stage.leader()?);
    for at in 0..3 {
        stage.claim_term(at, term)?;
    }
    let mut seen = [0; 3];
    for line in stage.lines() {
        if let What::Became { at, term, .. } = line.what {
            claim(seen[at] <= term, || format!("{} went back to term {term}", name(at)))?;
            seen[at] = term;
        }
    }
    stage.claim_one_leader_a_term()
}

fn s1_10(stage: &mut Stage) -> Step {
    stage.wait("a leader", |world| world.leader().is_some())?;
    let candidates: Vec<usize> = stage
        .lines()
        .filter_map(|line| match line.what {
            What::Became { at, standing: Standing::Candidate, term: 1, .. } => Some(at),
            _ => None,
        })
        .collect();
    dice(candidates == [0, 2] || candidates == [2, 0], "two campaign in term 1")?;
    dice(stage.last_term(stage.leader()?) == 1, "one of them wins")?;
    stage.note("n2 has one vote in term 1: the first request got it.");
    stage
        .wait("the loser to follow", |world| (0..3).all(|at| world.led_by(at) == world.leader()))?;
    let first = stage.lines().find_map(|line| match line.what {
        What::Arrived { kind: Kind::Vote, to: 1, from, term: 1, .. } => Some(from),
        _ => None,
    });
    let first = first.ok_or_else(|| Stop::Claim("n2 was not asked".into()))?;
    let mut grants = Vec::new();
    let (mut written, mut durable) = (None, false);
    for line in stage.lines() {
        match &line.what {
            What::Wrote { at: 1, id, vote: Some(_), .. } => written = written.or(Some(*id)),
            What::Durable { at: 1, id } => durable |= written.is_some_and(|vote| vote <= *id),
            What::Sent { from: 1, to, kind: Kind::VoteReply, term: 1, .. }
                if line.text.contains("yes") =>
            {
                claim(durable, || "n2 told of its vote before it was durable".into())?;
                grants.push(*to);
            }
            _ => {}
        }
    }
    claim(grants == [first], || format!("n2 voted for {grants:?}; n{} asked first", first + 1))?;
    claim(stage.leader()? == first, || "who asked first did not win".into())
}

fn s1_11(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    let term = stage.last_term(1);
    stage.world.crash(2);
    stage.note("n3 is down while x=1 is committed by the other two.");
    stage.write(1, "x", "1")?;
    stage.wait("n1 to know", |world| {
        world.view(0).map(|view| view.commit) == world.view(1).map(|view| view.commit)
    })?;
    stage.world.crash(1);
    stage.world.start(2);
    stage.wait("a campaign", |world| {
        [0, 2].into_iter().any(|at| world.view(at).is_some_and(|view| view.term.0 > term))
    })?;
    dice(stage.view(2)?.term.0 > term && stage.view(0)?.term.0 == term, "n3 asks first")?;
    stage.note("n3 asks first, but its log ends before x=1: n1 refuses.");
    let next = stage.another(1, &[0, 2])?;
    stage.note("n1 has everything that was acknowledged. It wins and brings n3 up to date.");
    stage.settle()?;
    claim(next == 0, || format!("{} leads without x=1", name(next)))?;
    let refused = stage.lines().any(|line| {
        matches!(line.what, What::Sent { from: 0, to: 2, kind: Kind::VoteReply, .. })
            && line.text.contains("no")
    });
    claim(refused, || "n1 did not refuse its vote".into())?;
    claim(stage.find(2, "x", "1").is_some(), || "n3 misses x=1".into())?;
    stage.claim_equal_logs()
}

fn s1_12(stage: &mut Stage) -> Step {
    let campaigns = |stage: &Stage, wanted: u64| {
        let mut campaigns: Vec<usize> = Vec::new();
        for line in stage.lines() {
            if let What::Became { at, standing: Standing::Candidate, term, .. } = line.what
                && term == wanted
            {
                campaigns.push(at);
            }
        }
        campaigns
    };
    let mut asked = false;
    stage.wait("votes", |world| {
        let role = |at| world.view(at).map(|view| view.role);
        let campaigning = (0..4).any(|at| role(at) == Some(Role::Candidate));
        asked |= campaigning;
        asked && !campaigning
    })?;
    dice(stage.world.leader().is_none(), "term 1 has no leader")?;
    stage.pass(ms(8));
    dice(campaigns(stage, 1).len() == 2, "two campaign in term 1")?;
    let grants = stage.lines().filter(|line| {
        matches!(line.what, What::Arrived { kind: Kind::VoteReply, term: 1, .. })
            && line.text.contains("yes")
    });
    dice(grants.count() == 2, "each of them gets one vote")?;
    stage.note("Two votes each: nobody has three of four. Term 1 has no leader.");
    stage.wait("a leader", |world| world.leader().is_some())?;
    let leader = stage.leader()?;
    dice(stage.last_term(leader) == 2, "term 2 has a leader")?;
    dice(campaigns(stage, 2).len() == 2, "two campaign in term 2")?;
    stage.wait("all to follow", |world| (0..4).all(|at| world.led_by(at) == Some(leader)))?;
    stage.note("In term 2 one candidate has won, the other has lost and follows.");
    let won = stage
        .lines()
        .filter(|line| matches!(line.what, What::Became { standing: Standing::Leader, .. }));
    claim(won.count() == 1, || "there should have been one leader".into())?;
    let lost = stage.lines().any(|line| {
        matches!(
            line.what,
            What::Became { standing: Standing::Follower, was: Standing::Candidate, term: 2, .. }
        )
    });
    claim(lost, || "the other candidate did not give way".into())?;
    stage.claim_one_leader_a_term()
}
