//! No input makes a candidate panic, whatever its order, and the same inputs give the same outputs.

use std::time::Duration;

use protocol::bully::message::{Body, Message, Terms};
use protocol::bully::{
    Bully, Config, Durable, Electorate, Electors, Epoch, Input, Mode, Output, Preemption, Rank,
    Safety, Shown, Standing, Version, WriteId,
};
use protocol::{NodeId, Rng, Time};

use crate::stage::{config, ids, safety};

fn place(rng: &mut Rng, most: u64) -> usize {
    usize::try_from(rng.below(most)).unwrap()
}

fn set(rng: &mut Rng) -> std::collections::BTreeSet<NodeId> {
    let bits = 1 + rng.below(31);
    (0..5).filter(|id| bits >> id & 1 == 1).map(NodeId).collect()
}

fn electorate(rng: &mut Rng) -> Electorate {
    let version = Version { epoch: Epoch(rng.below(6)), number: rng.below(4) };
    let first = Electorate::first(ids(&[0, 1, 2]));
    let outgoing = if rng.below(2) == 0 { set(rng) } else { ids(&[]) };
    Electorate { version, members: set(rng), outgoing, ..first }
}

fn body(rng: &mut Rng) -> Body {
    let epoch = Epoch(if rng.below(50) == 0 { u64::MAX } else { rng.below(8) });
    let sent = Time(rng.below(6_000_000_000));
    let terms = Terms { epoch, sent, lease: Duration::from_millis(rng.below(2_000)) };
    match rng.below(11) {
        0 => Body::Election,
        1 => Body::Alive,
        2 => Body::Victory,
        3 => Body::Ask,
        4 => {
            let (free, stands) = (rng.below(2) == 0, rng.below(3) == 0);
            Body::Answer { free, stands, seen: epoch }
        }
        5 => Body::Claim(terms),
        6 => Body::Grant { epoch, sent },
        7 => Body::Refuse { epoch, ballot: Epoch(rng.below(9)) },
        8 => Body::Renew(terms),
        9 => Body::Ack { epoch, sent, up: terms.lease, stands: rng.below(2) == 0 },
        _ => Body::Release { epoch, successor: Some(NodeId(rng.below(5))) },
    }
}

fn input(rng: &mut Rng, safe: bool, last: &mut Vec<WriteId>) -> Input {
    let from = NodeId(1 + rng.below(4));
    let rank = Rank { freshness: rng.below(3), priority: rng.below(3), id: from };
    match rng.below(16) {
        0 => Input::Saw {
            shown: Shown { rank, expect: Some(3), pledge: None, group: None },
            standing: [Standing::Alive, Standing::Suspect, Standing::Failed][place(rng, 3)],
        },
        1 => Input::Forgotten(from),
        2..=4 => last.pop().map_or(Input::Persisted(WriteId(rng.below(99))), Input::Persisted),
        5 => Input::Freshness(rng.below(3)),
        6 if rng.below(2) == 0 => Input::Stand(rng.below(3) != 0),
        6 => Input::Resign,
        7 => Input::Stopped(Epoch(rng.below(9))),
        8 => Input::Change(set(rng)),
        9..=10 => Input::Timeout,
        _ => {
            let electorate = (safe != (rng.below(20) == 0)).then(|| electorate(rng));
            Input::Receive { from, message: Message { electorate, rank, body: body(rng) } }
        }
    }
}

fn play(seed: u64) -> (Vec<Output>, usize) {
    let mut rng = Rng::new(seed);
    let electors = match rng.below(2) {
        0 => Electors::Expect(1 + place(&mut rng, 3)),
        _ => Electors::Named(ids(&[0, 1, 2])),
    };
    let preemption = [Preemption::Eager, Preemption::Never][place(&mut rng, 2)];
    let safe = rng.below(4) > 0;
    let mode = match safe {
        true => Mode::Safe(Safety { preemption, ..safety(electors) }),
        false => Mode::Classic,
    };
    let config: Config = config(0, mode);
    let mut core = Bully::new(config.clone(), Durable::default(), seed);
    let (mut now, mut told, mut writes) = (Time(0), Vec::new(), Vec::new());
    let mut disk = Durable::default();
    for _ in 0..300 {
        let due = core.poll_timeout().filter(|_| rng.below(2) == 0);
        now = due.unwrap_or(now + Duration::from_millis(rng.below(60))).max(now);
        core.handle(now, input(&mut rng, safe, &mut writes));
        while let Some(output) = core.poll_output() {
            if let Output::Persist { id, durable } = &output {
                writes.push(*id);
                disk = durable.clone();
            }
            told.push(output);
        }
        if rng.below(60) == 0 {
            core = Bully::new(config.clone(), disk.clone(), seed);
            writes.clear();
        }
    }
    let elected = told.iter().filter(|output| matches!(output, Output::Elected(_))).count();
    (told, elected)
}

#[test]
fn no_input_makes_a_candidate_panic_and_all_is_repeated_to_the_letter() {
    let mut elected = 0;
    for seed in 0..600 {
        let (told, elections) = play(seed);
        elected += elections;
        if seed % 10 == 0 {
            assert_eq!(told, play(seed).0, "seed {seed}");
        }
    }
    assert!(elected > 100, "the inputs are worth something: {elected}");
}
