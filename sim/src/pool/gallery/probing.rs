//! Probes, suspicions and deaths.

use protocol::Time;
use protocol::swim::message::{Alive, Dead, Message, Name, State, Suspect};
use protocol::swim::{Address, Config, Event, Input, suspicion_time};

use super::Story;
use super::stage::{
    GOSSIP_ALONE, SECOND, Stage, Step, all_alive, believed, claim, dice, failed, suspected,
};
use crate::pool::{Pool, Slow};

pub(super) const STORIES: [Story; 6] = [
    Story {
        tag: "s3_01",
        title: "Three loops: probe, push/pull, gossip",
        story: "A pool of five for two minutes. Each member asks one other each second, and \
                nobody waits longer than two rounds for its turn; while there is something to say, \
                it tells three others five times a second; and each 30 s it compares everything \
                with one other.",
        play: |seed| Stage::formed(5, Config::LAN, seed).play(s3_01),
    },
    Story {
        tag: "s3_02",
        title: "Alive, suspect, dead, and left",
        story: "A member dies: to the others it is alive, then suspect, then dead. Another one \
                goes and says so: it is never suspect, and never dead. Both are forgotten in the \
                end.",
        play: |seed| Stage::formed(5, GOSSIP_ALONE, seed).play(s3_02),
    },
    Story {
        tag: "s3_03",
        title: "A ping, pings by others, and a ping over a stream",
        story: "No packet goes between m0 and m1, either way. When m0 pings m1 it gets no answer; \
                it asks three others, who get one, and opens a stream at the same time. So nobody \
                is accused.",
        play: |seed| Stage::formed(6, GOSSIP_ALONE, seed).play(s3_03),
    },
    Story {
        tag: "s3_04",
        title: "A suspect has time, and witnesses shorten it",
        story: "One of sixteen dies. Each who finds it silent is a witness, and when two have \
                confirmed the first, it has the shortest time. In a second pool somebody suspects \
                alone, since its messages do not get out: its suspect has six times as long.",
        play: |seed| Stage::formed(16, GOSSIP_ALONE, seed).play(s3_04),
    },
    Story {
        tag: "s3_05",
        title: "A suspect that lives says so, with a higher number",
        story: "A member stands still for two and a half seconds, and others suspect it. When it \
                goes on it hears so, becomes its next incarnation, and nobody suspects it any \
                more. Nobody calls it dead.",
        play: |seed| Stage::formed(6, GOSSIP_ALONE, seed).play(s3_05),
    },
    Story {
        tag: "s3_06",
        title: "Going and dying are both told as death, and the living answer theirs",
        story: "One leaves: it calls itself dead, which tells that it went. One dies: another one \
                calls it dead, and an old sign of its life is not believed. Then somebody says of \
                one who lives that it is dead: it hears so, answers, and all believe it.",
        play: |seed| Stage::formed(6, GOSSIP_ALONE, seed).play(s3_06),
    },
];

fn s3_01(stage: &mut Stage) -> Step {
    let count = |pool: &Pool| -> Vec<[u64; 3]> {
        pool.counters()
            .map(|counters| [counters.probes, counters.gossips, counters.exchanges])
            .collect()
    };
    let before = count(&stage.pool);
    let begun = stage.pool.now();
    stage.note("Nothing is new: two loops go on.");
    stage.pass(60 * SECOND);
    let quiet = count(&stage.pool);
    stage.note("m0 has something to say: the third loop wakes.");
    stage.say(0, "hello");
    stage.pass(60 * SECOND);
    let after = count(&stage.pool);
    for member in 0..5 {
        let [asked, told, compared] = [0, 1, 2].map(|loop_| {
            (
                quiet[member][loop_] - before[member][loop_],
                after[member][loop_] - quiet[member][loop_],
            )
        });
        claim((59..=61).contains(&asked.0) && (59..=61).contains(&asked.1), || {
            format!("m{member} asked {asked:?} times in two minutes")
        })?;
        claim(told.0 == 0 && told.1 > 0, || format!("m{member} gossiped {told:?} times"))?;
        claim((3..=5).contains(&(compared.0 + compared.1)), || {
            format!("m{member} compared {compared:?} times")
        })?;
    }
    in_turn(stage, begun)
}

/// Nobody waits longer than two rounds for its turn: last in one, first in the other, or the other
/// way round. A round takes as many periods as there are others.
fn in_turn(stage: &Stage, begun: Time) -> Step {
    let members = stage.pool.len();
    let rounds = 2 * u32::try_from(members - 1).unwrap_or(u32::MAX) * SECOND;
    let pings = stage.packets(begun, |message| matches!(message, Message::Ping(_)));
    for by in 0..members {
        for of in (0..members).filter(|&of| of != by) {
            let asked = pings.iter().filter(|&&(_, from, to)| (from, to) == (by, of));
            let asked: Vec<Time> = asked.map(|&(at, ..)| at).collect();
            let ends = [begun].into_iter().chain(asked).chain([stage.pool.now()]);
            let ends: Vec<Time> = ends.collect();
            let longest = ends.windows(2).map(|pair| pair[1] - pair[0]).max();
            claim(longest.is_some_and(|longest| longest <= rounds), || {
                format!("m{by} did not ask m{of} for {longest:?}")
            })?;
        }
    }
    Ok(())
}

/// What somebody believes of somebody, as it changes.
fn path(stage: &mut Stage, by: usize, of: usize, time: u32) -> Vec<Option<State>> {
    let mut path = Vec::new();
    for _ in 0..time * 10 {
        let state = stage.pool.state(by, of);
        if path.last() != Some(&state) {
            path.push(state);
        }
        stage.pass(SECOND / 10);
    }
    path
}

fn s3_02(stage: &mut Stage) -> Step {
    stage.note("m1 dies.");
    stage.pool.crash(1);
    let seen = path(stage, 0, 1, 60);
    let expected = [Some(State::Alive), Some(State::Suspect), Some(State::Dead), None];
    claim(seen == expected, || format!("who died was {seen:?}"))?;
    stage.note("m2 goes, and says so.");
    stage.pool.input(2, Input::Leave { patience: 5 * SECOND });
    stage.wait("all know that it went", 5 * SECOND, |pool| believed(pool, 2, State::Left))?;
    stage.pool.crash(2);
    let seen = path(stage, 0, 2, 60);
    claim(seen == [Some(State::Left), None], || format!("who left was {seen:?}"))
}

fn s3_03(stage: &mut Stage) -> Step {
    stage.note("No packet goes between m0 and m1.");
    stage.pool.network.no_packets.extend([(0, 1), (1, 0)]);
    let begun = stage.pool.now();
    stage.wait("m0 asks others", 12 * SECOND, |pool| {
        pool.swim(0).is_some_and(|swim| swim.counters().indirect_pings > 0)
    })?;
    stage.pass(SECOND);
    let asks = stage.packets(begun, |message| matches!(message, Message::IndirectPing(_)));
    let by_m0: Vec<_> = asks.iter().filter(|(_, from, _)| *from == 0).collect();
    claim(by_m0.len() == 3, || format!("m0 asked {} others", by_m0.len()))?;
    claim(stage.streams(begun, "ping").contains(&(0, 1)), || "it opened no stream".to_owned())?;
    let helped = by_m0.iter().all(|(_, _, helper)| {
        let pings = stage.packets(begun, |message| matches!(message, Message::Ping(_)));
        pings.iter().any(|(_, from, to)| from == helper && *to == 1)
    });
    claim(helped, || "a helper did not ping".to_owned())?;
    stage.note("Its helpers got an answer. A minute later nobody has been accused.");
    stage.pass(60 * SECOND);
    let accused = stage.told(begun, |event| matches!(event, Event::Suspected { .. }));
    claim(accused.is_empty(), || format!("accused: {accused:?}"))
}

fn s3_04(stage: &mut Stage) -> Step {
    let shortest = suspicion_time(16, 4, SECOND);
    let begun = stage.pool.now();
    stage.note("m5 dies. Its witnesses find it one after the other.");
    stage.pool.crash(5);
    stage.wait("all call it dead", 40 * SECOND, |pool| believed(pool, 5, State::Dead))?;
    let since = stage.told(begun, suspected(&stage.pool, 5));
    let dead = stage.told(begun, failed(&stage.pool, 5));
    let (Some(&(since, _)), Some(&(dead, _))) = (since.first(), dead.first()) else {
        return claim(false, || "nobody says so".to_owned());
    };
    let had = dead - since;
    dice(had < shortest + SECOND, "two others find it soon")?;
    claim(had >= shortest, || format!("it had {had:?} only"))?;
    stage.note(&format!("With witnesses it had {had:?}: {shortest:?} is the least."));
    // The same, where nobody hears of it.
    let mut alone = Stage::formed(16, GOSSIP_ALONE, 7);
    let begun = alone.pool.now();
    alone.pool.slow(0, Slow::Mute, 60 * SECOND);
    alone.pass(60 * SECOND);
    let by_it = |list: Vec<(Time, usize)>| list.into_iter().find(|&(_, by)| by == 0);
    let dead = by_it(alone.told(begun, |event| matches!(event, Event::Failed(_))));
    let since = by_it(alone.told(begun, |event| matches!(event, Event::Suspected { .. })));
    let (Some((dead, _)), Some((since, _))) = (dead, since) else {
        return claim(false, || "who hears nobody suspects nobody".to_owned());
    };
    let had = dead - since;
    claim(had >= 6 * shortest, || format!("without witnesses it had {had:?} only"))?;
    stage.note(&format!("Without any, in another pool, it had {had:?}: six times as long."));
    Ok(())
}

fn s3_05(stage: &mut Stage) -> Step {
    let begun = stage.pool.now();
    stage.note("m2 stands still for two and a half seconds.");
    stage.pool.slow(2, Slow::Still, SECOND * 5 / 2);
    stage.pass(SECOND * 12 / 5);
    let accused = stage.told(begun, suspected(&stage.pool, 2));
    dice(!accused.is_empty(), "somebody asks it meanwhile")?;
    let took = stage.wait("all believe that it lives", 3 * SECOND, all_alive)?;
    let answered = stage.told(begun, |event| matches!(event, Event::Refuted { .. }));
    claim(answered.iter().any(|&(_, by)| by == 2), || "it did not answer".to_owned())?;
    let incarnation = stage.pool.swim(2).map_or(0, protocol::swim::Swim::incarnation);
    claim(incarnation == 2, || format!("it is its incarnation {incarnation}"))?;
    stage.note(&format!("It is incarnation 2, and all believe it, after {took:?}."));
    stage.pass(30 * SECOND);
    let dead = stage.told(begun, |event| matches!(event, Event::Failed(_)));
    claim(dead.is_empty(), || format!("called dead: {dead:?}"))
}

/// Of whom a message says that it is dead, and who says so.
fn dead(message: &Message) -> Option<(&Name, &Name)> {
    if let Message::Dead(dead) = message { Some((&dead.node, &dead.from)) } else { None }
}

fn s3_06(stage: &mut Stage) -> Step {
    let begun = stage.pool.now();
    stage.note("m1 leaves.");
    stage.pool.input(1, Input::Leave { patience: 5 * SECOND });
    stage.wait("all know that it went", 5 * SECOND, |pool| believed(pool, 1, State::Left))?;
    let own = stage.packets(begun, |message| dead(message).is_some_and(|(of, by)| of == by));
    claim(!own.is_empty(), || "nobody passed its farewell on".to_owned())?;
    stage.pool.crash(1);
    stage.note("m2 dies.");
    stage.pool.crash(2);
    stage.wait("all call it dead", 40 * SECOND, |pool| believed(pool, 2, State::Dead))?;
    let told = stage.packets(begun, |message| dead(message).is_some_and(|(of, by)| of != by));
    claim(!told.is_empty(), || "nobody passed its death on".to_owned())?;
    stage.note("m0 hears of m2 what was true before: that its first incarnation lives.");
    let alive = Alive { incarnation: 1, facts: stage.pool.facts(2).clone() };
    let from = Address::of(stage.pool.facts(4));
    stage.pool.input(0, Input::Receive { from, messages: vec![Message::Alive(alive)] });
    claim(stage.pool.state(0, 2) == Some(State::Dead), || "that was believed".to_owned())?;
    stage.note("m0 hears that m3 is dead. It is not.");
    let lie = stage.pool.now();
    let (node, from) = (stage.pool.facts(3).name.clone(), stage.pool.facts(4).name.clone());
    let messages = vec![Message::Dead(Dead { incarnation: 1, node, from })];
    let from = Address::of(stage.pool.facts(4));
    stage.pool.input(0, Input::Receive { from, messages });
    stage.wait("all believe that it lives", 5 * SECOND, all_alive)?;
    let answered = stage.told(lie, |event| matches!(event, Event::Refuted { .. }));
    claim(answered.iter().map(|&(_, by)| by).eq([3]), || format!("{answered:?} answered"))?;
    stage.note("It has answered. An accusation of its earlier incarnation is void now.");
    let (node, from) = (stage.pool.facts(3).name.clone(), stage.pool.facts(4).name.clone());
    let messages = vec![Message::Suspect(Suspect { incarnation: 1, node, from })];
    let from = Address::of(stage.pool.facts(4));
    stage.pool.input(0, Input::Receive { from, messages });
    claim(stage.pool.state(0, 3) == Some(State::Alive), || "it was believed".to_owned())
}
