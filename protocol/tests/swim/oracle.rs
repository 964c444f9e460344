//! The laws of a pool, asked at every step of every member.
//!
//! | law | what it says |
//! |---|---|
//! | SI1 | only a member itself raises its incarnation, each time to a higher one |
//! | SI2 | news replaces what was known by the rules of precedence, and by them alone (SWIM §4.2) |
//! | SI5 | an answer counts for the member that was asked, under the number of the question |
//! | SI6 | nobody passes a message on more often than the limit, and packets keep their size |
//! | SI9 | whoever says that it goes is never told of as failed |
//!
//! SI3, SI4, SI7 and SI8 are judged by the tests, which know what they did to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::Time;
use protocol::swim::message::{Message, Name, State};
use protocol::swim::wire::encoded_len;
use protocol::swim::{Config, Event, Input, Member, Output, Swim, retransmit_limit};

/// What was believed before a step of those that the step is about.
pub(crate) struct Before {
    named: Vec<(Name, Option<Member>)>,
    /// Numbers of the answers that came.
    acks: Vec<u32>,
    leaves: bool,
}

#[derive(Default)]
struct Ledger {
    /// The highest incarnation that it gave itself, in any life.
    highest: u32,
    /// That of this life.
    last: Option<u32>,
    leaves: bool,
    /// Numbers that it asked, and whom.
    asked: BTreeMap<u32, (Time, Name)>,
    /// How often it passed a sign of life on.
    passed: BTreeMap<(Name, u32), u32>,
}

pub(crate) struct Oracle {
    members: BTreeMap<Name, Ledger>,
    packet_bytes: usize,
    multiplier: u32,
    /// Deaths of the living that were told of, and when.
    pub(crate) failed: Vec<(Time, Name, Name)>,
    /// Members whose incarnation somebody may have made up in the test.
    pub(crate) forged: BTreeSet<Name>,
}

impl Oracle {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            members: BTreeMap::new(),
            packet_bytes: config.packet_bytes,
            multiplier: config.retransmit_multiplier,
            failed: Vec::new(),
            forged: BTreeSet::new(),
        }
    }

    pub(crate) fn started(&mut self, name: &Name, remembers: bool) {
        let ledger = self.members.entry(name.clone()).or_default();
        ledger.last = remembers.then_some(ledger.highest).filter(|&last| last > 0);
        ledger.leaves = false;
        ledger.asked.clear();
        ledger.passed.clear();
    }

    pub(crate) fn before(&self, swim: &Swim, input: &Input) -> Before {
        let leaves = matches!(input, Input::Leave { .. });
        let mut names = BTreeSet::new();
        let mut acks = Vec::new();
        match input {
            Input::Receive { messages, .. } => {
                acks.extend(messages.iter().filter_map(|message| match message {
                    Message::Ack(ack) => Some(ack.seq),
                    _ => None,
                }));
                names.extend(messages.iter().filter_map(|message| subject(message).cloned()));
            }
            Input::Asked { state, .. } | Input::Exchanged { state: Some(state), .. } => {
                names.extend(state.nodes.iter().map(|row| row.facts.name.clone()));
            }
            _ => {}
        }
        let named = names.into_iter().map(|name| (name.clone(), swim.member(&name))).collect();
        Before { named, acks, leaves }
    }

    pub(crate) fn after(&mut self, now: Time, swim: &Swim, before: Before, outputs: &[Output]) {
        let own = swim.status().name;
        if before.leaves {
            self.members.get_mut(&own).unwrap().leaves = true;
        }
        for (name, held) in before.named {
            if name != own {
                precedence(&own, held.as_ref(), swim.member(&name).as_ref());
            }
        }
        for output in outputs {
            if let Output::Event(event) = output {
                self.event(now, &own, event);
            }
        }
        for output in outputs {
            match output {
                Output::Incarnation(incarnation) => self.incarnation(&own, *incarnation),
                Output::Send { messages, .. } => self.sent(now, &own, messages),
                Output::Acked { member, .. } => self.acked(&own, &before.acks, &member.name),
                _ => {}
            }
        }
    }

    fn incarnation(&mut self, own: &Name, incarnation: u32) {
        let ledger = self.members.get_mut(own).unwrap();
        let rises = ledger.last.is_none_or(|last| last < incarnation);
        assert!(rises, "SI1: {own} goes from {:?} to {incarnation}", ledger.last);
        ledger.last = Some(incarnation);
        ledger.highest = ledger.highest.max(incarnation);
    }

    fn sent(&mut self, now: Time, own: &Name, messages: &[Message]) {
        let compound = if messages.len() > 1 { 2 + 2 * messages.len() } else { 0 };
        let bytes = compound + messages.iter().map(encoded_len).sum::<usize>();
        assert!(bytes <= self.packet_bytes, "SI6: {own} sends {bytes} bytes");
        assert!(!messages.is_empty() && messages.len() <= 127, "SI6: {} parts", messages.len());
        let limit = retransmit_limit(self.members.len(), self.multiplier);
        for message in messages {
            if let Some((of, incarnation)) = claim(message) {
                let highest = self.members.get(of).map_or(0, |ledger| ledger.highest);
                let known = incarnation <= highest || self.forged.contains(of);
                assert!(known, "SI1: {own} says {incarnation} of {of}, who is {highest}");
            }
            let ledger = self.members.get_mut(own).unwrap();
            match message {
                Message::Ping(ping) => {
                    ledger.asked.insert(ping.seq, (now, ping.node.clone()));
                }
                Message::Alive(alive) => {
                    let key = (alive.facts.name.clone(), alive.incarnation);
                    let times = ledger.passed.entry(key).or_default();
                    *times += 1;
                    assert!(*times <= limit, "SI6: {own} passes {alive:?} on {times} times");
                }
                _ => {}
            }
        }
    }

    /// Whom somebody has asked, for itself or for others, in the time before `now`.
    pub(crate) fn asked_since(&self, who: &Name, now: Time, time: Duration) -> BTreeSet<&Name> {
        let asked = self.members[who].asked.values();
        asked.filter(|(at, _)| now - *at <= time).map(|(_, whom)| whom).collect()
    }

    fn acked(&self, own: &Name, seqs: &[u32], member: &Name) {
        let asked = &self.members[own].asked;
        let right = seqs.iter().any(|seq| asked.get(seq).is_some_and(|(_, whom)| whom == member));
        assert!(right, "SI5: {own} takes {seqs:?} for an answer of {member}");
    }

    fn event(&mut self, now: Time, own: &Name, event: &Event) {
        if let Event::Joined(facts) = event {
            // Whoever was forgotten is news again.
            let passed = &mut self.members.get_mut(own).unwrap().passed;
            passed.retain(|(name, _), _| *name != facts.name);
        }
        if let Event::Failed(facts) = event {
            let leaves = self.members.get(&facts.name).is_some_and(|ledger| ledger.leaves);
            assert!(!leaves, "SI9: {own} tells of {} as failed", facts.name);
            self.failed.push((now, own.clone(), facts.name.clone()));
        }
    }
}

/// Whom a message is about.
fn subject(message: &Message) -> Option<&Name> {
    match message {
        Message::Alive(alive) => Some(&alive.facts.name),
        _ => claim(message).map(|(name, _)| name),
    }
}

/// Whose incarnation it says something of.
fn claim(message: &Message) -> Option<(&Name, u32)> {
    match message {
        Message::Alive(alive) => Some((&alive.facts.name, alive.incarnation)),
        Message::Suspect(suspect) => Some((&suspect.node, suspect.incarnation)),
        Message::Dead(dead) => Some((&dead.node, dead.incarnation)),
        _ => None,
    }
}

/// SI2: incarnations first, then dead over suspect over alive.
fn precedence(own: &Name, before: Option<&Member>, after: Option<&Member>) {
    let (Some(before), Some(after)) = (before, after) else { return };
    if before.facts.addr != after.facts.addr || before.facts.port != after.facts.port {
        return;
    }
    let rank = |member: &Member| match member.state {
        State::Alive => (member.incarnation, 0),
        State::Suspect => (member.incarnation, 1),
        State::Dead | State::Left => (member.incarnation, 2),
    };
    assert!(rank(before) <= rank(after), "SI2: {own}: {before:?} becomes {after:?}");
    let gone = matches!(before.state, State::Dead | State::Left);
    if gone && after.state == State::Alive {
        let later = after.incarnation > before.incarnation;
        assert!(later, "SI2: {own}: {before:?} comes back as {after:?}");
    }
}
