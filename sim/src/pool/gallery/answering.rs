//! What counts as an answer, and what does not.

use bytes::Bytes;
use protocol::Time;
use protocol::swim::message::{Ack, Message, State};
use protocol::swim::{Address, Config, Event, Input, Link, Swim};

use super::Story;
use super::stage::{GOSSIP_ALONE, SECOND, Stage, Step, believed, claim, dice};
use crate::pool::record::{Seen, What};

pub(super) const STORIES: [Story; 2] = [
    Story {
        tag: "s3_03a",
        title: "An answer counts for its own question",
        story: "m1 dies, and m0 asks it. While m0 waits, an answer of m2 comes, to an earlier \
                question. It is of somebody else and says nothing of m1: m0 goes on waiting, in \
                vain, and accuses m1.",
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

/// Questions since then by this member: to whom, their numbers.
fn questions(stage: &Stage, begun: Time, by: usize) -> Vec<(usize, u32)> {
    let asked = stage.since(begun).filter_map(|seen| match &seen.what {
        What::Packet { from, to, messages, .. } if *from == by => {
            let number = messages.iter().find_map(|message| match message {
                Message::Ping(ping) => Some(ping.seq),
                _ => None,
            })?;
            Some((*to, number))
        }
        _ => None,
    });
    asked.collect()
}

/// Probes of m0 that failed, and answers that came to nothing that it asks.
fn failed_and_late(stage: &Stage) -> (u64, u64) {
    let counters = stage.pool.swim(0).map(Swim::counters);
    counters.map_or((0, 0), |counters| (counters.probes_failed, counters.late_acks))
}

fn s3_03a(stage: &mut Stage) -> Step {
    let begun = stage.pool.now();
    stage.note("m1 dies.");
    stage.pool.crash(1);
    let asks_m1 = |seen: &Seen| {
        let ping = |message: &Message| matches!(message, Message::Ping(_));
        let What::Packet { from: 0, to: 1, messages, .. } = &seen.what else { return false };
        seen.at >= begun && messages.iter().any(ping)
    };
    stage.wait("m0 asks m1", 8 * SECOND, |pool| pool.record().iter().any(asks_m1))?;
    let for_m2 = stage.packets(begun, |message| matches!(message, Message::IndirectPing(_)));
    dice(!for_m2.iter().any(|&(_, _, to)| to == 0), "m0 asks for itself")?;
    let asked = questions(stage, begun, 0).into_iter().find(|&(to, _)| to == 1);
    let number = asked.map_or(0, |(_, number)| number);
    let (failed, late) = failed_and_late(stage);
    stage.note("m0 asks it. An answer of m2 comes, to an earlier question of m0.");
    let ack = Ack { seq: number.wrapping_sub(1), payload: Bytes::new() };
    let from = Address::of(stage.pool.facts(2));
    stage.pool.input(0, Input::Receive { from, messages: vec![Message::Ack(ack)] });
    let counted = failed_and_late(stage);
    claim(counted == (failed, late + 1), || "m0 took it for what it waits for".to_owned())?;
    stage.pass(SECOND * 6 / 5);
    let (now_failed, _) = failed_and_late(stage);
    claim(now_failed == failed + 1, || "m0 asks m1 no more, as if it had answered".to_owned())?;
    claim(stage.pool.state(0, 1) == Some(State::Suspect), || "m0 accuses nobody".to_owned())?;
    stage.note("That says nothing of m1: m0 has waited for m1 in vain, and accuses it.");
    stage.wait("all call it dead", 40 * SECOND, |pool| believed(pool, 1, State::Dead))?;
    Ok(())
}

fn s3_03b(stage: &mut Stage) -> Step {
    let begun = stage.pool.now();
    stage.note("No packet goes between m0 and m1, and nobody opens streams.");
    stage.pool.network.no_packets.extend([(0, 1), (1, 0)]);
    stage.pass(60 * SECOND);
    let accused = stage.told(begun, |event| matches!(event, Event::Suspected { .. }));
    claim(accused.is_empty(), || format!("accused: {accused:?}"))?;
    for (one, other) in [(0, 1), (1, 0)] {
        let asked = questions(stage, begun, one).iter().filter(|&&(to, _)| to == other).count();
        claim(asked > 0, || format!("m{one} never asked m{other}"))?;
        let name = stage.pool.facts(other).name.clone();
        let links = stage.pool.swim(one).map(|swim| swim.status().links).unwrap_or_default();
        let only = links == [(name, Link::HelpersOnly)];
        claim(only, || format!("m{one} says of its links: {links:?}"))?;
    }
    stage.note("A minute later nobody has been accused, and both name the link.");
    Ok(())
}
