//! What a member looks like from outside.

use alloc::vec::Vec;

use super::Swim;
use super::link::Link;
use super::message::{Name, State};
use super::output::Member;
use super::queue::Queue;

/// What a member has done since it began. Every number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Packets sent.
    pub packets: u64,
    /// Packets received.
    pub received: u64,
    /// Probes begun.
    pub probes: u64,
    /// Probes that nobody answered.
    pub probes_failed: u64,
    /// Probes that only a stream answered.
    pub stream_answers: u64,
    /// Helpers asked.
    pub indirect_pings: u64,
    /// Pings answered.
    pub pinged: u64,
    /// Pings for somebody else that came here.
    pub misdirected: u64,
    /// Acknowledgements that nobody waited for any more, or never did.
    pub late_acks: u64,
    /// Pings on behalf of others.
    pub relays: u64,
    /// … that were refused since too many were under way.
    pub relays_refused: u64,
    /// Periods in which something was passed on, times members that it went to.
    pub gossips: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// … that came to nothing.
    pub exchanges_failed: u64,
    /// Exchanges that others began.
    pub exchanges_answered: u64,
    /// Members that became suspects, here or by hearsay.
    pub suspicions: u64,
    /// Others that shared a suspicion.
    pub confirmations: u64,
    /// Suspects that answered.
    pub suspicions_refuted: u64,
    /// Suspects whose time ran out here.
    pub deaths: u64,
    /// Accusations of this member that it answered.
    pub refutations: u64,
    /// Accusations repeated to who came back.
    pub accusations_repeated: u64,
    /// Members forgotten.
    pub forgotten: u64,
    /// Signs of life under a name that somebody else has.
    pub conflicts: u64,
    /// Messages that must not be believed.
    pub refused: u64,
    /// Messages or metadata of the layer above that were too long.
    pub too_long: u64,
    /// Times that this member stood still.
    pub stalls: u64,
}

/// A look at a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// Its name.
    pub name: Name,
    /// Its incarnation.
    pub incarnation: u32,
    /// Members thought to be there, this one included unless it goes.
    pub alive: usize,
    /// Members that do not answer.
    pub suspect: usize,
    /// Members thought to be gone, and not forgotten yet.
    pub dead: usize,
    /// Members that said so, and are not forgotten yet.
    pub left: usize,
    /// How much this member doubts itself: 0 is not at all.
    pub health_score: u32,
    /// Messages about members that wait to be passed on.
    pub queued: usize,
    /// Messages of the layer above that wait, in each lane.
    pub lanes: [usize; 3],
    /// Messages that were dropped since a lane was full.
    pub dropped: u64,
    /// Links with trouble.
    pub links: Vec<(Name, Link)>,
    /// Bytes that the table takes, beside the shared facts.
    pub table_bytes: usize,
    /// What it has done.
    pub counters: Counters,
}

impl Swim {
    /// A look inside.
    #[must_use]
    pub fn status(&self) -> Status {
        let table = &self.table;
        let link = |(slot, link)| (table.facts(slot).name.clone(), link);
        Status {
            name: self.name().clone(),
            incarnation: self.incarnation,
            alive: table.count(State::Alive),
            suspect: table.count(State::Suspect),
            dead: table.count(State::Dead),
            left: table.count(State::Left),
            health_score: self.awareness.score(),
            queued: self.queue.len(),
            lanes: self.lanes.each_ref().map(Queue::len),
            dropped: self.lanes.iter().map(Queue::dropped).sum(),
            links: self.links.iter().map(link).collect(),
            table_bytes: table.bytes(),
            counters: self.counters,
        }
    }

    /// What it has done.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Everybody that is known, this member included, in no order that means anything.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.table.iter().map(|(_, row, facts)| Member {
            facts: facts.clone(),
            incarnation: row.incarnation,
            state: row.state(),
            since: self.outside(row.since().time()),
        })
    }

    /// What is believed of one.
    #[must_use]
    pub fn member(&self, name: &Name) -> Option<Member> {
        let slot = self.table.find(name)?;
        let row = self.table.row(slot);
        Some(Member {
            facts: self.table.facts(slot).clone(),
            incarnation: row.incarnation,
            state: row.state(),
            since: self.outside(row.since().time()),
        })
    }
}
