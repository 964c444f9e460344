use alloc::vec;

use protocol::Index;
use protocol::raft::Payload;

use super::*;

fn at(index: u64) -> Position {
    Position::new(Term(2), Index(index))
}

fn entry(index: u64) -> Entry {
    Entry { position: at(index), payload: Payload::Command(vec![7; 3].into()) }
}

fn mending(wanted: &[u64], helpless: bool) -> Mending {
    let config = MendConfig {
        peers: [NodeId(2), NodeId(3)].into(),
        term: Term(4),
        life: 9,
        interval: Duration::from_millis(100),
    };
    let mut mending =
        Mending::new(config, wanted.iter().map(|index| at(*index)).collect(), helpless);
    mending.handle(Time(0), MendInput::Timeout);
    mending
}

fn outputs(mending: &mut Mending) -> Vec<MendOutput> {
    core::iter::from_fn(|| mending.poll_output()).collect()
}

fn asked(outputs: &[MendOutput]) -> Vec<(NodeId, Vec<Position>)> {
    let asked = |output: &MendOutput| {
        let MendOutput::Send { to, message } = output else { return None };
        let Some(Mend::Ask { wanted, .. }) = word(message) else { return None };
        Some((*to, wanted.clone()))
    };
    outputs.iter().filter_map(asked).collect()
}

struct Answer {
    term: u64,
    life: u64,
    entries: Vec<Entry>,
    absent: Vec<Position>,
    leads: Option<u64>,
}

/// What a message says about mending.
fn word(message: &Message) -> Option<&Mend> {
    match message {
        Message::Raft(raft::Message { body: Body::Mend(word), .. }) => Some(word),
        Message::Raft(_) | Message::Zab(_) => None,
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self { term: 4, life: 9, entries: vec![], absent: vec![], leads: None }
    }
}

fn answer(mending: &mut Mending, from: u64, answer: Answer) -> Vec<MendOutput> {
    let Answer { term, life, entries, absent, leads } = answer;
    let leads = leads.map(at);
    let body = Body::Mend(Mend::Reply { life, entries, absent, leads });
    let message = raft::Message { term: Term(term), body }.into();
    mending.handle(Time(1), MendInput::Receive { from: NodeId(from), message });
    outputs(mending)
}

#[test]
fn it_asks_everybody_and_is_healed_when_all_is_filled() {
    let mut mending = mending(&[3, 5], false);
    let both = vec![at(3), at(5)];
    let first = outputs(&mut mending);
    assert_eq!(asked(&first), [(NodeId(2), both.clone()), (NodeId(3), both)]);
    let fill = answer(
        &mut mending,
        2,
        Answer { entries: vec![entry(3)], absent: vec![at(5)], ..Answer::default() },
    );
    assert_eq!(fill, [MendOutput::Fill(vec![entry(3)])]);
    mending.handle(Time(1), MendInput::Filled(vec![at(5)]));
    assert_eq!(outputs(&mut mending), [], "the peer has said that it has no more");
    let fill = answer(&mut mending, 3, Answer { entries: vec![entry(5)], ..Answer::default() });
    assert_eq!(fill, [MendOutput::Fill(vec![entry(5)])]);
    mending.handle(Time(2), MendInput::Filled(vec![]));
    assert_eq!(outputs(&mut mending), [MendOutput::Healed]);
    assert_eq!(mending.poll_timeout(), None);
}

#[test]
fn what_does_not_fit_is_not_asked_for_again_before_its_time() {
    let mut mending = mending(&[3], false);
    outputs(&mut mending);
    answer(&mut mending, 2, Answer { entries: vec![entry(3)], ..Answer::default() });
    mending.handle(Time(1), MendInput::Filled(vec![at(3)]));
    assert_eq!(outputs(&mut mending), []);
    let later = mending.poll_timeout().unwrap();
    mending.handle(later, MendInput::Timeout);
    assert_eq!(asked(&outputs(&mut mending)).len(), 2);
}

#[test]
fn only_a_leader_that_lacks_what_is_wanted_ends_it() {
    let lacks = |leads| Answer { absent: vec![at(3)], leads, ..Answer::default() };
    let mut waits = mending(&[3], false);
    outputs(&mut waits);
    assert_eq!(answer(&mut waits, 2, lacks(None)), [], "nobody leads");
    let older = Answer { term: 3, ..lacks(Some(8)) };
    assert_eq!(answer(&mut waits, 2, older), [], "an older term");
    let stale = Answer { life: 8, ..lacks(Some(8)) };
    assert_eq!(answer(&mut waits, 2, stale), [], "an answer to an earlier life");
    assert_eq!(answer(&mut waits, 7, lacks(Some(8))), [], "it was not asked");
    let surrender = MendOutput::Surrender { leader: NodeId(2), term: Term(4), last: at(8) };
    assert_eq!(answer(&mut waits, 2, lacks(Some(8))), [surrender]);
}

#[test]
fn a_leader_that_has_what_is_wanted_heals() {
    let mut mending = mending(&[3], false);
    outputs(&mut mending);
    let leads = Answer { entries: vec![entry(3)], leads: Some(8), ..Answer::default() };
    assert_eq!(answer(&mut mending, 2, leads), [MendOutput::Fill(vec![entry(3)])]);
    mending.handle(Time(1), MendInput::Filled(vec![]));
    assert_eq!(outputs(&mut mending), [MendOutput::Healed]);
}

#[test]
fn the_helpless_waits_for_a_leader_whatever_it_gets() {
    let mut mending = mending(&[], true);
    assert_eq!(asked(&outputs(&mut mending)), [(NodeId(2), vec![]), (NodeId(3), vec![])]);
    assert_eq!(answer(&mut mending, 3, Answer::default()), []);
    let leads = Answer { leads: Some(6), ..Answer::default() };
    let surrender = MendOutput::Surrender { leader: NodeId(3), term: Term(4), last: at(6) };
    assert_eq!(answer(&mut mending, 3, leads), [surrender]);
}

/// Whom the operator has named may all have left meanwhile. Seed 25725 of the simulator.
#[test]
fn a_leader_that_it_has_never_heard_of_is_asked_once_it_speaks() {
    for helpless in [true, false] {
        let mut mending = mending(&[3], helpless);
        outputs(&mut mending);
        let body = Body::Heartbeat { round: 1, commit: Index(9), trim: Index(0) };
        let heartbeat = raft::Message { term: Term(6), body }.into();
        mending.handle(Time(1), MendInput::Receive { from: NodeId(8), message: heartbeat });
        assert_eq!(outputs(&mut mending), [], "it is asked when all are");
        let next = mending.poll_timeout().unwrap();
        mending.handle(next, MendInput::Timeout);
        let asked: Vec<NodeId> =
            asked(&outputs(&mut mending)).into_iter().map(|(peer, _)| peer).collect();
        assert_eq!(asked, [NodeId(2), NodeId(3), NodeId(8)]);
        let leads = Answer { term: 6, absent: vec![at(3)], leads: Some(9), ..Answer::default() };
        let surrender = MendOutput::Surrender { leader: NodeId(8), term: Term(6), last: at(9) };
        assert_eq!(answer(&mut mending, 8, leads), [surrender]);
    }
}

#[test]
fn it_helps_others_meanwhile() {
    let mut mending = mending(&[3], false);
    outputs(&mut mending);
    let body = Body::Mend(Mend::Ask { life: 5, wanted: vec![at(1), at(3)] });
    let message = raft::Message { term: Term(1), body }.into();
    mending.handle(Time(1), MendInput::Receive { from: NodeId(3), message });
    let [MendOutput::Look { peer, life, wanted }] = &outputs(&mut mending)[..] else {
        panic!("it does not look");
    };
    assert_eq!((*peer, *life, &wanted[..]), (NodeId(3), 5, &[at(1), at(3)][..]));
    let (entries, absent) =
        gather(wanted.clone(), |position| (position == at(1)).then(|| entry(1)));
    mending.handle(Time(1), MendInput::Found { peer: NodeId(3), life: 5, entries, absent });
    let body = Body::Mend(Mend::Reply {
        life: 5,
        entries: vec![entry(1)],
        absent: vec![at(3)],
        leads: None,
    });
    let message = raft::Message { term: Term(4), body }.into();
    assert_eq!(outputs(&mut mending), [MendOutput::Send { to: NodeId(3), message }]);
}

/// Members that are damaged in different places heal each other, whatever is lost on the way.
#[test]
fn more_than_one_answer_holds_comes_in_several() {
    let wanted: Vec<u64> = (1..=1_000).collect();
    let mut mending = mending(&wanted, false);
    let mut left: BTreeSet<Position> = wanted.iter().map(|index| at(*index)).collect();
    let mut turns = 0;
    let mut queue: VecDeque<MendOutput> = outputs(&mut mending).into();
    while let Some(output) = queue.pop_front() {
        turns += 1;
        assert!(turns < 100, "it asks without an end");
        match output {
            MendOutput::Send { to: NodeId(2), message } => {
                let Some(Mend::Ask { wanted, .. }) = word(&message) else { continue };
                assert!(wanted.len() <= AT_ONCE);
                let (entries, absent) =
                    gather(wanted.clone(), |position| Some(entry(position.index.0)));
                let given = Answer { entries, absent, ..Answer::default() };
                queue.extend(answer(&mut mending, 2, given));
            }
            MendOutput::Fill(entries) => {
                entries.iter().for_each(|entry| assert!(left.remove(&entry.position)));
                mending.handle(Time(1), MendInput::Filled(left.iter().copied().collect()));
                queue.extend(outputs(&mut mending));
            }
            MendOutput::Healed => return assert!(left.is_empty()),
            MendOutput::Send { .. } | MendOutput::Look { .. } | MendOutput::Surrender { .. } => {}
        }
    }
    panic!("it is not healed");
}
