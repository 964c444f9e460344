//! The laws of Serf's layer, asked at every step of every agent.
//!
//! | law | what it says |
//! |---|---|
//! | SI10 | an event is told of at each member once, and only if somebody fired it |
//! | SI11 | an older intent never undoes a later one: the time of a member never falls, and only a
//! later one changes what it intends | | SI13 | whoever says farewell has said before that it goes
//! |
//! | SI14 | a query is told of once where its filters admit it, and nowhere else; each answer
//! counts once |
//! | SI15 | whoever has lost its name says nothing more |
//!
//! SI12, that everybody believes the living to be there and agrees on the others, is judged by the
//! tests, which know what they did to whom.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::swim::Tag;
use protocol::swim::message::{Message as Packet, Name, State};
use protocol::swim::serf::{
    self, Event, Filter, LTime, Message, Output, QueryId, Serf, Status, Tags,
};

use crate::world::Asked;

#[derive(Default)]
pub(crate) struct Oracle {
    before: BTreeMap<Name, (Status, LTime)>,
    /// Names of events that somebody fired, and of queries with their filters.
    pub(crate) fired: BTreeSet<Bytes>,
    pub(crate) asked: BTreeMap<Bytes, Vec<Filter>>,
    told: BTreeSet<(usize, LTime, Bytes, Bytes)>,
    queried: BTreeSet<Asked>,
    answered: BTreeSet<(usize, Tag, bool, Name)>,
    /// Who has said that it goes.
    intends: BTreeSet<usize>,
    /// Whose name is another's.
    nameless: BTreeSet<usize>,
}

impl Oracle {
    /// What was known before belongs to an earlier life.
    pub(crate) fn started(&mut self, node: usize) {
        self.told.retain(|(of, ..)| *of != node);
        self.queried.retain(|(of, _)| *of != node);
        self.answered.retain(|(of, ..)| *of != node);
        self.intends.remove(&node);
        self.nameless.remove(&node);
        self.before.clear();
    }

    pub(crate) fn before(&mut self, serf: &Serf) {
        let known =
            serf.members().map(|known| (known.facts.name.clone(), (known.status, known.ltime)));
        self.before = known.collect();
    }

    pub(crate) fn after(&mut self, node: usize, serf: &Serf, outputs: &[Output]) {
        let before = std::mem::take(&mut self.before);
        let silent = !self.nameless.contains(&node) || outputs.is_empty();
        assert!(silent, "SI15: {node} has no name and goes on: {outputs:?}");
        for known in serf.members() {
            let Some(&(status, ltime)) = before.get(&known.facts.name) else { continue };
            self.intent(serf, &known.facts.name, (status, ltime), (known.status, known.ltime));
        }
        for output in outputs {
            match output {
                Output::NameLost { .. } => drop(self.nameless.insert(node)),
                Output::Send { messages, .. } => {
                    messages.iter().for_each(|message| self.said(node, serf, message));
                }
                Output::Event(event) => self.event(node, serf, event),
                Output::QueryAcked { tag, from } => self.answer(node, *tag, true, from),
                Output::QueryAnswered { tag, from, .. } => self.answer(node, *tag, false, from),
                _ => {}
            }
        }
    }

    fn intent(&self, serf: &Serf, of: &Name, before: (Status, LTime), after: (Status, LTime)) {
        let own = &serf.own().name;
        assert!(before.1 <= after.1, "SI11: {own} goes back from {before:?} to {after:?} of {of}");
        let state = serf.swim().member(of).map(|member| member.state);
        let there = matches!(state, Some(State::Alive | State::Suspect));
        match (before.0, after.0) {
            (Status::Alive, Status::Leaving) => {
                assert!(before.1 < after.1, "SI11: {own} lets {of} leave without news");
            }
            (Status::Leaving, Status::Alive) => {
                assert!(before.1 < after.1 || there, "SI11: {own} lets {of} stay without news");
            }
            (Status::Left | Status::Failed, Status::Alive) => {
                assert!(there, "SI12: {own} calls {of} back to life");
            }
            (Status::Left, Status::Failed) => panic!("SI12: {own} lets {of} fail after it left"),
            _ => {}
        }
    }

    fn said(&mut self, node: usize, serf: &Serf, message: &Packet) {
        let own = &serf.own().name;
        match message {
            Packet::User(message) => {
                if let Ok(Message::Leave(leave)) = serf::decode(message)
                    && leave.node == *own
                {
                    self.intends.insert(node);
                }
            }
            Packet::Dead(dead) if dead.node == *own && dead.from == *own => {
                let said = self.intends.contains(&node);
                assert!(said, "SI13: {own} says farewell and not that it goes");
            }
            _ => {}
        }
    }

    fn event(&mut self, node: usize, serf: &Serf, event: &Event) {
        let own = &serf.own().name;
        match event {
            Event::User(event) => {
                assert!(self.fired.contains(&event.name), "SI10: nobody fired {:?}", event.name);
                let key = (node, event.ltime, event.name.clone(), event.payload.clone());
                assert!(self.told.insert(key), "SI10: {own} tells again of {:?}", event.name);
            }
            Event::Query { id, name, .. } => {
                let filters = self.asked.get(name);
                let filters = filters.unwrap_or_else(|| panic!("SI14: nobody asked {name:?}"));
                let tags = Tags::decode(&serf.own().meta).unwrap();
                let meant = filters.iter().all(|filter| filter.admits(own, &tags));
                assert!(meant, "SI14: {own} is asked {name:?}");
                self.query(node, *id, own);
            }
            _ => {}
        }
    }

    fn query(&mut self, node: usize, id: QueryId, own: &Name) {
        assert!(self.queried.insert((node, id)), "SI14: {own} is asked again");
    }

    fn answer(&mut self, node: usize, tag: Tag, ack: bool, from: &Name) {
        let new = self.answered.insert((node, tag, ack, from.clone()));
        assert!(new, "SI14: {from} answers {} of {node} again", tag.0);
    }
}
