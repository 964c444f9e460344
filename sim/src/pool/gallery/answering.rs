//! What counts as an answer, and what does not.

use protocol::Time;
use protocol::swim::message::{Message, Name};
use protocol::swim::{Config, Event, Link};

use super::Story;
use super::stage::{GOSSIP_ALONE, MS, SECOND, Stage, Step, claim, dice};
use crate::pool::Slow;
use crate::pool::record::What;

pub(super) const STORIES: [Story; 2] = [
    Story {
        tag: "s3_03a",
        title: "An answer counts for its own question",
        story: "m1 dies, and m2 stands still for a while, so that its answer to m0 comes late: m0 \
                is asking m1 by then. The answer is of somebody else, to an earlier question, and \
                says nothing of m1. m0 accuses m1 without asking it again.",
        play: |seed| Stage::formed(3, GOSSIP_ALONE, seed).play(s3_03a),
    },
    Story {
        tag: "s3_03b",
        title: "What helpers were answered counts",
        story: "No packet goes between m0 and m1, and nobody opens streams. Whatever m0 and m1 ask \
                each other goes by way of others. Nobody is accused, and both say that helpers are \
                the only way between them.",
        play: |seed| Stage::formed(6, PACKETS_ALONE, seed).play(s3_03b),
    },
];

/// Questions go by packets alone.
const PACKETS_ALONE: Config = Config { stream_ping: false, ..GOSSIP_ALONE };

/// Questions since then by this member: when, to whom, their numbers.
fn questions(stage: &Stage, begun: Time, by: usize) -> Vec<(Time, usize, u32)> {
    let asked = stage.since(begun).filter_map(|seen| match &seen.what {
        What::Packet { from, to, messages, .. } if *from == by => {
            let number = messages.iter().find_map(|message| match message {
                Message::Ping(ping) => Some(ping.seq),
                _ => None,
            })?;
            Some((seen.at, *to, number))
        }
        _ => None,
    });
    asked.collect()
}

/// Answers since then from one to another: when they arrive, their numbers.
fn answers(stage: &Stage, begun: Time, by: usize, whom: usize) -> Vec<(Time, u32)> {
    let answered = stage.since(begun).filter_map(|seen| match &seen.what {
        What::Packet { from, to, messages, arrives: Some(arrives) }
            if (*from, *to) == (by, whom) =>
        {
            let number = messages.iter().find_map(|message| match message {
                Message::Ack(ack) => Some(ack.seq),
                _ => None,
            })?;
            Some((*arrives, number))
        }
        _ => None,
    });
    answered.collect()
}

fn s3_03a(stage: &mut Stage) -> Step {
    let begun = stage.pool.now();
    stage.note("m1 dies, and m2 stands still for two and a half seconds.");
    stage.pool.crash(1);
    stage.pool.slow(2, Slow::Still, 2_500 * MS);
    stage.pass(8 * SECOND);
    let asked = questions(stage, begun, 0);
    let late = answers(stage, begun, 2, 0).into_iter().find_map(|(at, number)| {
        let to_it = asked.iter().any(|&(_, to, asked)| (to, asked) == (2, number));
        // m0's latest question when the answer comes.
        let &(since, to, latest) = asked.iter().rfind(|&&(since, ..)| since <= at)?;
        (to_it && to == 1 && latest != number && at - since < SECOND).then_some((since, at))
    });
    dice(late.is_some(), "m2 answers m0 while m0 asks m1")?;
    let (since, at) = late.unwrap_or((begun, begun));
    let [accuser, victim]: [Name; 2] = [0, 1].map(|member| stage.pool.facts(member).name.clone());
    let own = stage.told(since, |event| {
        let suspected = |member: &Name, by: &Name| *member == victim && *by == accuser;
        matches!(event, Event::Suspected { member, by } if suspected(&member.name, by))
    });
    let found = own.iter().find(|&&(_, by)| by == 0).map(|&(found, _)| found);
    dice(found.is_some(), "m0 finds it by itself")?;
    let found = found.unwrap_or(since);
    // A question that m0 asks for m2 would be taken for one of its own.
    let for_m2 = stage.packets(begun, |message| matches!(message, Message::IndirectPing(_)));
    let for_m2 = for_m2.iter().any(|&(at, from, to)| (from, to) == (2, 0) && at <= found);
    dice(!for_m2, "m2 has nothing to ask m0 for")?;
    let again = questions(stage, since, 0);
    let again = again.iter().filter(|&&(at, to, _)| to == 1 && at > since && at <= found).count();
    let (late, waited) = (at - since, found - since);
    stage.note(&format!(
        "m2's answer came {late:?} after m0 had asked m1. m0 accused m1 {waited:?} after it asked."
    ));
    claim(again == 0, || format!("m0 asked m1 {again} times more before it accused it"))
}

fn s3_03b(stage: &mut Stage) -> Step {
    let begun = stage.pool.now();
    stage.note("No packet goes between m0 and m1, and nobody opens streams.");
    stage.pool.network.no_packets.extend([(0, 1), (1, 0)]);
    stage.pass(60 * SECOND);
    let accused = stage.told(begun, |event| matches!(event, Event::Suspected { .. }));
    claim(accused.is_empty(), || format!("accused: {accused:?}"))?;
    for (one, other) in [(0, 1), (1, 0)] {
        let asked = questions(stage, begun, one).iter().filter(|&&(_, to, _)| to == other).count();
        claim(asked > 0, || format!("m{one} never asked m{other}"))?;
        let name = stage.pool.facts(other).name.clone();
        let links = stage.pool.swim(one).map(|swim| swim.status().links).unwrap_or_default();
        let only = links == [(name, Link::HelpersOnly)];
        claim(only, || format!("m{one} says of its links: {links:?}"))?;
    }
    stage.note("A minute later nobody has been accused, and both name the link.");
    Ok(())
}
