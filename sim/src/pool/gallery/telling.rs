//! What members tell each other, and what the layer above tells through them.

use bytes::Bytes;
use protocol::swim::message::{Message, State};
use protocol::swim::{Address, Config, Event, Input, retransmit_limit};

use super::Story;
use super::stage::{GOSSIP_ALONE, MS, SECOND, Stage, Step, all_alive, believed, claim, dice};

pub(super) const STORIES: [Story; 4] = [
    Story {
        tag: "s3_07",
        title: "What goes by packets, and what by streams",
        story: "Something of everything happens to six members: packets carry ping, indirect ping, \
                ack, nack, suspect, alive, dead and messages of the layer above; streams carry the \
                states of all members, and what the layer above adds.",
        play: |seed| Stage::formed(6, Config::LAN, seed).play(s3_07),
    },
    Story {
        tag: "s3_08",
        title: "Push/pull: two members compare everything",
        story: "Four members know each other, and so do three others. One joins by one of the \
                others: each tells the other all that it knows, and gossip does the rest.",
        play: |seed| Stage::empty(7, GOSSIP_ALONE, seed).play(s3_08),
    },
    Story {
        tag: "s3_09",
        title: "The layer above has states and messages of its own",
        story: "What a member says of itself, what its acknowledgements carry, what it tells in \
                exchanges, a message to one and a message to all: bytes that mean something to the \
                layer above and nothing here.",
        play: |seed| Stage::formed(4, GOSSIP_ALONE, seed).play(s3_09),
    },
    Story {
        tag: "s3_10",
        title: "The queue of what is to be passed on",
        story: "One of ten says something, and a little later something else. What was sent less \
                goes first, each is sent as often as the limit allows by each member, and then the \
                queues are empty.",
        play: |seed| Stage::formed(10, GOSSIP_ALONE, seed).play(s3_10),
    },
];

fn s3_07(stage: &mut Stage) -> Step {
    let begun = stage.pool.now();
    stage.note("Each tells something of its own in exchanges. m0 says something to all.");
    for member in 0..6 {
        stage.pool.set_state(member, Bytes::from(format!("of m{member}")));
    }
    stage.say(0, "hello");
    stage.note("m1 dies; m2 stands still for a while.");
    stage.pool.crash(1);
    stage.pool.slow(2, crate::pool::Slow::Still, SECOND * 3);
    stage.pass(60 * SECOND);
    type Is = fn(&Message) -> bool;
    let kinds: [(&str, Is); 8] = [
        ("ping", |message| matches!(message, Message::Ping(_))),
        ("indirect ping", |message| matches!(message, Message::IndirectPing(_))),
        ("ack", |message| matches!(message, Message::Ack(_))),
        ("nack", |message| matches!(message, Message::Nack(_))),
        ("suspect", |message| matches!(message, Message::Suspect(_))),
        ("alive", |message| matches!(message, Message::Alive(_))),
        ("dead", |message| matches!(message, Message::Dead(_))),
        ("user", |message| matches!(message, Message::User(_))),
    ];
    for (name, is) in kinds {
        let times = stage.packets(begun, is).len();
        if name == "alive" {
            dice(times > 0, "the one that stands still is suspected")?;
        }
        claim(times > 0, || format!("no packet carried {name}"))?;
    }
    let streams = stage.streams(begun, "that I know");
    claim(streams.len() >= 2, || "nobody compared".to_owned())?;
    let heard = (0..6).map(|member| stage.heard(begun, &format!("state of m{member}")).len());
    claim(heard.sum::<usize>() >= 2, || "no state of the layer above came".to_owned())
}

fn s3_08(stage: &mut Stage) -> Step {
    for member in 0..7 {
        stage.pool.start(member);
        if member % 4 > 0 {
            stage.pool.join(member, member / 4 * 4);
        }
    }
    stage.pass(5 * SECOND);
    let alive = |member: usize, stage: &Stage| {
        stage.pool.swim(member).map_or(0, |swim| swim.status().alive)
    };
    claim(alive(1, stage) == 4 && alive(5, stage) == 3, || "there are no two pools".to_owned())?;
    stage.note("m1 joins by m5.");
    let begun = stage.pool.now();
    stage.pool.join(1, 5);
    stage.wait("both know all seven", SECOND, |pool| {
        [1, 5]
            .into_iter()
            .all(|member| pool.swim(member).is_some_and(|swim| swim.status().alive == 7))
    })?;
    let said = stage.streams(begun, "that I know");
    claim(said == [(1, 5), (5, 1)], || format!("streams: {said:?}"))?;
    stage.note("Each has told the other all that it knew. Gossip tells the others.");
    stage.wait("all know all", 5 * SECOND, all_alive)?;
    let again = stage.streams(begun, "that I know");
    claim(again.len() == 2, || "others compared, too".to_owned())
}

fn s3_09(stage: &mut Stage) -> Step {
    let begun = stage.pool.now();
    stage.note("m1 says something else of itself.");
    let meta = Bytes::from_static(b"role=database");
    stage.pool.input(1, Input::Update { meta });
    stage.pass(SECOND);
    let updated = stage.told(
        begun,
        |event| matches!(event, Event::Updated(facts) if facts.meta == *"role=database"),
    );
    claim(updated.len() == 3, || format!("{} were told", updated.len()))?;
    stage.note("Its acknowledgements carry something.");
    stage.pool.input(1, Input::Payload(Bytes::from_static(b"2 ms from the sea")));
    stage.pass(5 * SECOND);
    let heard = stage.heard(begun, "payload 2 ms from the sea");
    claim(!heard.is_empty(), || "no acknowledgement carried it".to_owned())?;
    stage.note("m2 tells m3 alone, then m0 tells all.");
    let to = Address::of(stage.pool.facts(3));
    let told = stage.pool.now();
    stage.pool.input(2, Input::Tell { to, message: Bytes::from_static(b"between us") });
    stage.pass(2 * MS + SECOND / 20);
    let first = stage.heard(told, "between us");
    claim(first.first().is_some_and(|&(_, by)| by == 3), || format!("{first:?} heard it"))?;
    stage.say(0, "for all to hear");
    stage.pass(SECOND);
    let heard = stage.heard(told, "for all to hear");
    claim(heard.len() == 4, || format!("{} of four heard it", heard.len()))?;
    stage.note("m0 and m3 compare: each tells the other its state, and the layer's.");
    for member in 0..4 {
        stage.pool.set_state(member, Bytes::from(format!("clock {member}")));
    }
    stage.pool.join(0, 3);
    stage.pass(SECOND);
    let by = |what| stage.heard(told, what).first().map(|&(_, by)| by);
    let states = (by("state clock 0"), by("state clock 3"));
    claim(states == (Some(3), Some(0)), || format!("states went to {states:?}"))
}

fn s3_10(stage: &mut Stage) -> Step {
    fn is(word: &'static str) -> impl Fn(&Message) -> bool + Copy {
        move |message| matches!(message, Message::User(text) if *text == *word)
    }
    let begun = stage.pool.now();
    stage.note("m0 says “first”, and 300 ms later “second”.");
    stage.say(0, "first");
    stage.pass(300 * MS);
    stage.say(0, "second");
    stage.pass(10 * SECOND);
    // Of packets with both, m0's first: what was sent less stands in front.
    let both = stage.since(begun).find_map(|seen| match &seen.what {
        crate::pool::record::What::Packet { from: 0, messages, .. } => {
            let first = messages.iter().position(is("first"))?;
            let second = messages.iter().position(is("second"))?;
            Some(second < first)
        }
        _ => None,
    });
    claim(both == Some(true), || format!("the newer one goes first: {both:?}"))?;
    let limit = retransmit_limit(10, Config::LAN.retransmit_multiplier) as usize;
    for word in ["first", "second"] {
        let packets = stage.packets(begun, is(word));
        for member in 0..10 {
            let times = packets.iter().filter(|(_, from, _)| *from == member).count();
            claim(times == limit, || format!("m{member} said “{word}” {times} times"))?;
        }
    }
    let left = stage.pool.living().filter_map(|member| stage.pool.swim(member));
    let left: usize = left.map(|swim| swim.status().lanes.iter().sum::<usize>()).sum();
    claim(left == 0, || format!("{left} messages are left in queues"))?;
    stage.note("A death replaces the suspicion that is still in the queues.");
    stage.pool.crash(4);
    stage.wait("all call it dead", 40 * SECOND, |pool| believed(pool, 4, State::Dead))?;
    stage.pass(10 * SECOND);
    let left = stage.pool.living().filter_map(|member| stage.pool.swim(member));
    let left: usize = left.map(|swim| swim.status().queued).sum();
    claim(left == 0, || format!("{left} messages about members are left in queues"))
}
