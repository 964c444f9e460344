//! One pool of servers and agents, in which news goes round.

use std::time::Duration;

use bytes::Bytes;
use protocol::swim::message::{Message, State};
use protocol::swim::{Config, Event, Input, retransmit_limit};

use super::Story;
use super::stage::{
    GOSSIP_ALONE, MS, SECOND, Stage, Step, all_alive, believed, claim, dice, failed, suspected,
};
use crate::pool::{Latency, Options, Pool, load};

pub(super) const STORIES: [Story; 7] = [
    Story {
        tag: "s0_11",
        title: "Servers and plain agents share one gossip pool",
        story: "Nine agents are one pool; three of them say of themselves that they are servers. \
                Everybody learns it by gossip, and when a server dies, every agent, server or not, \
                is told so.",
        play: |seed| Stage::formed(9, GOSSIP_ALONE, seed).play(s0_11),
    },
    Story {
        tag: "s0_11a",
        title: "Two pools on one network stay two",
        story: "Five members say that they are of the blue pool, five that they are of the red \
                one. One of each is told to join by a member of the other pool. It learns nothing \
                and nobody learns of it; what is said in one pool is heard there alone.",
        play: |seed| Stage::empty(10, Config::LAN, seed).play(s0_11a),
    },
    Story {
        tag: "s0_12",
        title: "Every period each member tells a few others, who relay",
        story: "One of sixteen says something. Five times a second each member that has heard it \
                tells three others; nobody tells everybody, nobody says it more often than the \
                limit, and all hear it within a second, most of them from somebody else than who \
                said it first.",
        play: |seed| Stage::formed(16, GOSSIP_ALONE, seed).play(s0_12),
    },
    Story {
        tag: "s0_13",
        title: "What a member costs does not depend on the size of the pool",
        story: "Pools of ten, a hundred and a thousand, each for a minute. A member sends a ping \
                and an acknowledgement a second, in any of them. (The picture is of the smallest.)",
        play: |seed| Stage::formed(10, GOSSIP_ALONE, seed).play(s0_13),
    },
    Story {
        tag: "s0_14",
        title: "A dead agent is found by ordinary agents",
        story: "Three of twelve are servers. An agent dies. Nobody reports to the servers: another \
                plain agent happens to ping it, finds that it does not answer, asks others, and \
                says so; within seconds everybody knows.",
        play: |seed| Stage::formed(12, GOSSIP_ALONE, seed).play(s0_14),
    },
    Story {
        tag: "s0_15",
        title: "Who knows a few neighbours comes to know everybody",
        story: "Twelve members start at the same moment. Each knows one other: its neighbour in a \
                row. Each joins by it; gossip tells most of them of all others within a second, \
                and the next exchanges tell whoever was missed.",
        play: |seed| Stage::empty(12, Config::LAN, seed).play(s0_15),
    },
    Story {
        tag: "s0_16",
        title: "Who restarts and who is new agrees with the others soon",
        story: "A member dies and loses its disk. When everybody calls it dead, a newcomer joins; \
                then the dead one comes back, by the newcomer, who has never heard of it. It is \
                told what it is accused of, answers with a higher number, and all agree.",
        play: |seed| Stage::formed(9, Config::LAN, seed).play(s0_16),
    },
];

const SERVERS: usize = 3;

/// The first three become servers, and all learn it.
fn elect_servers(stage: &mut Stage) -> Step {
    for server in 0..SERVERS {
        let meta = Bytes::from_static(b"role=server");
        stage.pool.input(server, Input::Update { meta });
    }
    stage.wait("all know who is a server", 3 * SECOND, |pool| {
        pool.living().all(|by| {
            pool.swim(by).is_some_and(|swim| {
                let servers = swim.members().filter(|member| member.facts.meta == *"role=server");
                servers.count() == SERVERS
            })
        })
    })?;
    Ok(())
}

fn s0_11(stage: &mut Stage) -> Step {
    stage.note("The first three say that they are servers.");
    let begun = stage.pool.now();
    elect_servers(stage)?;
    let updates = stage.told(begun, |event| matches!(event, Event::Updated(_)));
    claim(updates.len() == SERVERS * 8, || format!("{} were told of it", updates.len()))?;
    stage.note("A server dies.");
    let begun = stage.pool.now();
    stage.pool.crash(1);
    stage.wait("everybody calls it dead", 40 * SECOND, |pool| believed(pool, 1, State::Dead))?;
    let told = stage.told(begun, failed(&stage.pool, 1));
    claim(told.len() == 8, || format!("{} of eight were told", told.len()))
}

fn s0_11a(stage: &mut Stage) -> Step {
    /// Members of one pool.
    const HALF: usize = 5;
    let apart = |pool: &Pool| {
        let knows = |by: usize, of: usize| pool.state(by, of) == Some(State::Alive);
        let same = |by: usize, of: usize| by / HALF == of / HALF;
        (0..2 * HALF).all(|by| (0..2 * HALF).all(|of| knows(by, of) == same(by, of)))
    };
    stage.note("The blue ones join by m0, the red ones by m5.");
    for member in 0..2 * HALF {
        stage.pool.set_label(member, if member < HALF { b"blue" } else { b"red" });
        stage.pool.start(member);
        stage.pool.join(member, member / HALF * HALF);
    }
    stage.wait("all know their own", 40 * SECOND, apart)?;
    let begun = stage.pool.now();
    stage.note("m7, a red one, joins by m2; m1, a blue one, by m8. That is a mistake.");
    stage.pool.join(7, 2);
    stage.pool.join(1, 8);
    stage.pass(60 * SECOND);
    let asked = stage.streams(begun, "to join");
    let both = asked.contains(&(7, 2)) && asked.contains(&(1, 8));
    claim(both, || format!("only these asked to join: {asked:?}"))?;
    claim(apart(&stage.pool), || "somebody knows somebody of the other pool".to_owned())?;
    stage.note("Nothing came of it. m0 says something, and the blue ones hear it.");
    const WORD: &str = "the sea";
    stage.say(0, WORD);
    stage.pass(10 * SECOND);
    let heard: Vec<usize> = stage.heard(begun, WORD).into_iter().map(|(_, by)| by).collect();
    let blue = heard.len() == HALF && heard.iter().all(|&by| by < HALF);
    claim(blue, || format!("{heard:?} heard it"))
}

fn s0_12(stage: &mut Stage) -> Step {
    const WORD: &str = "the doors are open";
    let begun = stage.pool.now();
    stage.note("m0 says something.");
    stage.say(0, WORD);
    stage.wait("all have heard it", SECOND, |pool| pool.heard_by(WORD) == 16)?;
    let said = |message: &Message| matches!(message, Message::User(text) if *text == *WORD);
    let by_first: std::collections::BTreeSet<usize> = stage
        .packets(begun, said)
        .into_iter()
        .filter_map(|(_, from, to)| (from == 0).then_some(to))
        .collect();
    claim(by_first.len() < 15, || "the first one told everybody itself".to_owned())?;
    stage.note("Everybody has heard it. It is said until the limit, and then no more.");
    stage.pass(5 * SECOND);
    let packets = stage.packets(begun, said);
    let limit = retransmit_limit(16, Config::LAN.retransmit_multiplier) as usize;
    for member in 0..16 {
        let times = packets.iter().filter(|(_, from, _)| *from == member).count();
        claim(times == limit, || format!("m{member} said it {times} times, not {limit}"))?;
    }
    Ok(())
}

fn s0_13(stage: &mut Stage) -> Step {
    let time = Duration::from_mins(1);
    let small = load::measure(&mut stage.pool, time);
    for members in [100, 1_000] {
        let options =
            Options { members, config: GOSSIP_ALONE, latency: Latency::LAN, loss: 0, seed: 1 };
        let load = load::measure(&mut Pool::formed(options), time);
        for (what, small, large) in [
            ("packets out", small.packets_out, load.packets_out),
            ("packets in", small.packets_in, load.packets_in),
            ("bytes out", small.bytes_out, load.bytes_out),
            ("bytes in", small.bytes_in, load.bytes_in),
        ] {
            let apart = (large / small - 1.0).abs();
            stage.note(&format!("{members} members, a second and member: {large:.2} {what}"));
            claim(apart < 0.1, || format!("{what}: {small} with 10, {large} with {members}"))?;
        }
    }
    Ok(())
}

fn s0_14(stage: &mut Stage) -> Step {
    elect_servers(stage)?;
    stage.pass(5 * SECOND);
    let begun = stage.pool.now();
    stage.note("m7, a plain agent, dies.");
    stage.pool.crash(7);
    stage.wait("somebody suspects it", 30 * SECOND, |pool| {
        pool.living().any(|by| pool.state(by, 7) == Some(State::Suspect))
    })?;
    let suspected = stage.told(begun, suspected(&stage.pool, 7));
    let (_, first) =
        *suspected.first().ok_or(super::stage::Stop::Claim("nobody says so".to_owned()))?;
    dice(first >= SERVERS, "a plain agent finds it")?;
    stage.note("A plain agent got no answer, and says so.");
    stage.wait("everybody calls it dead", 40 * SECOND, |pool| believed(pool, 7, State::Dead))?;
    // Nobody has to answer for being there to any server: pings go to everybody alike.
    let pings = stage.packets(begun, |message| matches!(message, Message::Ping(_)));
    let to_servers = pings.iter().filter(|(_, _, to)| *to < SERVERS).count();
    claim(to_servers * 2 < pings.len(), || {
        format!("{to_servers} of {} pings go to the servers", pings.len())
    })
}

fn s0_15(stage: &mut Stage) -> Step {
    for member in 0..12 {
        stage.pool.start(member);
    }
    for member in 1..12 {
        stage.pool.join(member, member - 1);
    }
    stage.note("Each joins by the one before it, all at the same moment.");
    let took = stage.wait("all know all", 90 * SECOND, |pool| {
        all_alive(pool)
            && pool.living().all(|by| pool.swim(by).is_some_and(|swim| swim.status().alive == 12))
    })?;
    stage.note(&format!("All know all, {took:?} after they began."));
    Ok(())
}

fn s0_16(stage: &mut Stage) -> Step {
    // The ninth is not there yet.
    stage.pool.input(8, Input::Leave { patience: 5 * SECOND });
    stage.pass(6 * SECOND);
    stage.pool.crash(8);
    stage.pass(Duration::from_mins(2));
    stage.note("m3 dies, and its disk with it.");
    stage.pool.crash(3);
    stage.pool.wipe(3);
    stage.wait("everybody calls it dead", 40 * SECOND, |pool| believed(pool, 3, State::Dead))?;
    stage.note("m8 is new and joins by m0.");
    stage.pool.start(8);
    stage.pool.join(8, 0);
    stage.wait("the newcomer is known", 90 * SECOND, |pool| believed(pool, 8, State::Alive))?;
    stage.note("m3 is back, knows nothing and nobody, and joins by m8.");
    let begun = stage.pool.now();
    stage.pool.start(3);
    stage.pool.join(3, 8);
    let took = stage.wait("all agree", 90 * SECOND, all_alive)?;
    let answered = stage.told(begun, |event| matches!(event, Event::Refuted { .. }));
    claim(answered.iter().any(|&(_, by)| by == 3), || "it answered nothing".to_owned())?;
    stage.pass(100 * MS);
    stage.note(&format!("All agree, {took:?} after it began."));
    Ok(())
}
