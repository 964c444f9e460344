//! Everything that one node can be and do, found out once.
//!
//! What a node does depends on what it is and on what happens to it, and on nothing else. So each
//! local state and each message gets a number, and each *(local state, happening)* is played
//! through the real core a single time; from then on it is a row of a table. The search over
//! states of the cluster reads tables and runs no core.
//!
//! The same is how symmetry comes without looking into a core: the twin of a local state under a
//! renaming of the nodes is what its parent's twin becomes under the renamed happening. Every
//! happening is therefore played on all twins at once, and two ways to the same local state must
//! agree about its twins: were any behaviour to depend on the order of names, this is where it
//! would show ([`Law::Symmetry`]).

use protocol::NodeId;
use protocol::raft::{Body, Config, Message, Role};

use super::bits::{WordMap, digest, narrow};
use super::bounds::Bounds;
use super::laws::{Broken, Law, demand};
use super::local::{Happening, Local};
use super::logs::{LogId, Logs};
use super::symmetry::{Group, ORDER, Renaming, rename, rename_node};
use super::{NODES, name, number};

/// A message with its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Envelope {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) message: Message,
}

/// What the search needs to know of a local state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// The least number of its twins: what it is, apart from names.
    pub(super) class: u32,
    /// Kinds of messages that can never again mean anything to it; see [`dead_bit`].
    dead: u32,
    pub(super) log: LogId,
    pub(super) disk: LogId,
    pub(super) committed: LogId,
    pub(super) term: u8,
    pub(super) leads: bool,
    pub(super) times_out: bool,
    pub(super) writes: bool,
    /// Nothing reaches it before a write is durable.
    pub(super) blocked: bool,
    /// The ways to tear its oldest write, as bits.
    pub(super) tears: u16,
}

/// What the search needs to know of a message.
#[derive(Clone, Copy, Debug)]
struct MessageFacts {
    to: u8,
    dead_bit: u8,
    /// It asks to campaign at once.
    urges: bool,
}

/// What a happening makes of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) local: u32,
    first: u32,
    count: u8,
}

/// The tables.
pub(super) struct Atlas {
    bounds: Bounds,
    configs: [Config; NODES],
    pub(super) group: Group,
    pub(super) logs: Logs,
    locals: Vec<Local>,
    local_ids: WordMap<u128, u32>,
    facts: Vec<Facts>,
    twins: Vec<[u32; ORDER]>,
    messages: Vec<Envelope>,
    message_ids: WordMap<u128, u32>,
    message_facts: Vec<MessageFacts>,
    message_twins: Vec<[u32; ORDER]>,
    outcomes: WordMap<u64, Outcome>,
    sends: Vec<u32>,
}

/// What can happen to a node, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Timeout,
    Persisted,
    Propose(u8),
    Change(u8),
    Crash(u8),
    Receive(u32),
}

impl Cause {
    const fn code(self) -> u32 {
        const OTHER: u32 = 1 << 31;
        match self {
            Self::Timeout => OTHER,
            Self::Persisted => OTHER + 1,
            Self::Propose(number) => OTHER + 0x100 + number as u32,
            Self::Crash(torn) => OTHER + 0x200 + torn as u32,
            Self::Change(number) => OTHER + 0x300 + number as u32,
            Self::Receive(message) => message,
        }
    }
}

fn id(place: usize) -> u32 {
    u32::try_from(place).expect("invariant: tables have fewer rows than words")
}

const TERMS: u8 = 8;
const NEVER_DEAD: u8 = 31;

/// Answers to questions that are no longer asked are dead: a receiver whose disk knows the term of
/// the answer can never again be in the role that waits for it in that term, for a role is left
/// for ever and nobody campaigns twice in a term (Raft §5.2). They say nothing about a later term
/// either. Dropping them at once makes the space smaller and takes nothing away.
///
/// The bit says for whom a message is dead: one for each kind of question and term.
fn dead_bit(message: &Message) -> u8 {
    let term = u8::try_from(message.term.0).unwrap_or(TERMS);
    let kind = match &message.body {
        Body::VoteReply { .. } => 0,
        Body::AppendAccepted { .. } | Body::AppendRejected(_) | Body::HeartbeatReply { .. } => 1,
        Body::PreVoteReply { .. } => 2,
        Body::PreVote { .. }
        | Body::Vote { .. }
        | Body::Append { .. }
        | Body::Heartbeat { .. }
        | Body::Propose { .. }
        | Body::ReadIndex { .. }
        | Body::ReadIndexReply { .. }
        | Body::TransferLeadership { .. }
        | Body::TimeoutNow
        | Body::Snapshot { .. }
        | Body::SnapshotReply { .. }
        | Body::Mend(_) => return NEVER_DEAD,
    };
    if term < TERMS { kind * TERMS + term } else { NEVER_DEAD }
}

fn dead_for(local: &Local) -> u32 {
    let (durable, term, role) =
        (local.disk.hard_state.term.0, local.raft.term().0, local.raft.role());
    let waits = |kind| match kind {
        0 => role == Role::Candidate,
        1 => role == Role::Leader,
        _ => true,
    };
    let dead =
        |kind, at| at < durable || (at == durable && !(at == term && waits(kind)) && kind < 2);
    (0..3u8)
        .flat_map(|kind| (0..TERMS).map(move |at| (kind, at)))
        .filter(|&(kind, at)| dead(kind, u64::from(at)))
        .fold(0, |mask, (kind, at)| mask | 1 << (kind * TERMS + at))
}

impl Atlas {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            configs: std::array::from_fn(|node| bounds.config(node)),
            group: Group::new(bounds.symmetry),
            logs: Logs::new(),
            locals: Vec::new(),
            local_ids: WordMap::default(),
            facts: Vec::new(),
            twins: Vec::new(),
            messages: Vec::new(),
            message_ids: WordMap::default(),
            message_facts: Vec::new(),
            message_twins: Vec::new(),
            outcomes: WordMap::default(),
            sends: Vec::new(),
        }
    }

    /// Three nodes with empty disks.
    pub(super) fn first(&mut self) -> [u32; NODES] {
        let nodes: [Local; NODES] = std::array::from_fn(|node| Local::new(&self.configs[node]));
        let ids = nodes.map(|local| self.intern(local));
        for (node, &local) in ids.iter().enumerate() {
            let twins: Vec<u32> = (0..self.group.len())
                .map(|which| ids[usize::from(self.group.renaming(which)[node])])
                .collect();
            self.pair(local, 0, &twins).expect("invariant: empty nodes are twins");
        }
        ids
    }

    pub(super) fn local(&self, local: u32) -> &Local {
        &self.locals[local as usize]
    }

    pub(super) fn facts(&self, local: u32) -> &Facts {
        &self.facts[local as usize]
    }

    pub(super) fn envelope(&self, message: u32) -> &Envelope {
        &self.messages[message as usize]
    }

    pub(super) fn twin(&self, local: u32, which: usize) -> u32 {
        self.twins[local as usize][which]
    }

    pub(super) fn message_twin(&self, message: u32, which: usize) -> u32 {
        self.message_twins[message as usize][which]
    }

    /// To which node a message goes.
    pub(super) fn receiver(&self, message: u32) -> usize {
        usize::from(self.message_facts[message as usize].to)
    }

    /// Whether a message asks to campaign at once.
    pub(super) fn urges(&self, message: u32) -> bool {
        self.message_facts[message as usize].urges
    }

    /// Whether a message can never again mean anything to its receiver.
    pub(super) fn is_dead(&self, message: u32, locals: &[u32; NODES]) -> bool {
        let facts = self.message_facts[message as usize];
        self.facts(locals[usize::from(facts.to)]).dead >> facts.dead_bit & 1 == 1
    }

    /// How many local states there are, and how many messages, and how many rows.
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.locals.len(), self.messages.len(), self.outcomes.len())
    }

    /// Memory in use, about: a core owns a few small trees.
    pub(super) fn bytes(&self) -> u64 {
        const LOCAL: usize = size_of::<Local>() + size_of::<Facts>() + 4 * ORDER + 1500;
        const MESSAGE: usize = size_of::<Envelope>() + 4 * ORDER + 150;
        let rows = self.outcomes.capacity() * (size_of::<Outcome>() + 9) + self.sends.len() * 4;
        (self.locals.len() * LOCAL + self.messages.len() * MESSAGE + rows) as u64
    }

    pub(super) fn sends(&self, outcome: Outcome) -> &[u32] {
        let first = outcome.first as usize;
        &self.sends[first..first + usize::from(outcome.count)]
    }

    /// What becomes of a node.
    ///
    /// # Errors
    ///
    /// A law is broken on the way.
    pub(super) fn outcome(&mut self, local: u32, cause: Cause) -> Result<Outcome, Broken> {
        let key = u64::from(local) << 32 | u64::from(cause.code());
        match self.outcomes.get(&key) {
            Some(&outcome) => Ok(outcome),
            None => self.learn(local, cause),
        }
    }

    /// The happening in full.
    pub(super) fn happening(&self, cause: Cause) -> Happening {
        match cause {
            Cause::Timeout => Happening::Timeout,
            Cause::Persisted => Happening::Persisted,
            Cause::Propose(number) => Happening::Propose(number),
            Cause::Crash(torn) => Happening::Crash { torn },
            Cause::Change(number) => Happening::Change(self.bounds.changes[usize::from(number)]),
            Cause::Receive(message) => {
                let Envelope { from, message, .. } = self.envelope(message);
                Happening::Receive { from: *from, message: message.clone() }
            }
        }
    }

    /// Plays a happening on a local state and on all its twins.
    #[cold]
    fn learn(&mut self, local: u32, cause: Cause) -> Result<Outcome, Broken> {
        let happening = self.happening(cause);
        let mut after = Vec::new();
        let mut sent: Vec<Vec<u32>> = Vec::new();
        for which in 0..self.group.len() {
            let renaming = self.group.renaming(which);
            let twin = self.twin(local, which) as usize;
            let node = number(self.locals[twin].raft.status().id);
            let config = &self.configs[node];
            let reaction = self.locals[twin].react(config, &rename(renaming, &happening))?;
            after.push(self.intern(reaction.local));
            let sends = reaction.sends.into_iter();
            let envelopes = sends.map(|(to, message)| Envelope { from: name(node), to, message });
            sent.push(envelopes.map(|envelope| self.intern_message(envelope)).collect());
        }
        let mut first = None;
        for which in 0..self.group.len() {
            self.pair(after[which], which, &after)?;
            let mut expected: Vec<u32> =
                sent[0].iter().map(|&message| self.message_twin(message, which)).collect();
            expected.sort_unstable();
            let mut found = sent[which].clone();
            found.sort_unstable();
            demand(expected == found, Law::Symmetry, || format!("{happening}: other messages"))?;
            let cause = match cause {
                Cause::Receive(message) => Cause::Receive(self.message_twin(message, which)),
                same @ (Cause::Timeout
                | Cause::Persisted
                | Cause::Propose(_)
                | Cause::Change(_)
                | Cause::Crash(_)) => same,
            };
            let key = u64::from(self.twin(local, which)) << 32 | u64::from(cause.code());
            let count = narrow(sent[which].len());
            let outcome = Outcome { local: after[which], first: id(self.sends.len()), count };
            self.sends.extend_from_slice(&sent[which]);
            self.outcomes.insert(key, outcome);
            first.get_or_insert(outcome);
        }
        Ok(first.expect("invariant: a group is never empty"))
    }

    pub(super) fn intern(&mut self, local: Local) -> u32 {
        let digest = digest(&local);
        if let Some(&known) = self.local_ids.get(&digest) {
            return known;
        }
        let number = id(self.locals.len());
        let view = local.view();
        let committed = usize::try_from(local.raft.commit().0).unwrap_or(usize::MAX);
        let committed = &view[..committed.min(view.len())];
        let leads = local.raft.role() == Role::Leader;
        let term = u8::try_from(local.raft.term().0).unwrap_or(u8::MAX);
        let may_beat = local.beats < self.bounds.heartbeats;
        let may_campaign = term < self.bounds.max_term;
        self.facts.push(Facts {
            class: number,
            dead: if self.bounds.late_answers { 0 } else { dead_for(&local) },
            log: self.logs.intern(&view),
            disk: self.logs.intern(&local.disk.log),
            committed: self.logs.intern(committed),
            term,
            leads,
            times_out: if leads { may_beat } else { may_campaign },
            writes: !local.pending.is_empty(),
            blocked: local.pending.len() >= usize::from(self.bounds.writes),
            tears: local.tears().fold(0, |bits, torn| bits | 1 << torn),
        });
        self.twins.push([u32::MAX; ORDER]);
        self.locals.push(local);
        self.local_ids.insert(digest, number);
        number
    }

    /// Notes that `twins[w]` is the renaming `w` of the local state that the renaming `which` makes
    /// `local`.
    pub(super) fn pair(&mut self, local: u32, which: usize, twins: &[u32]) -> Result<(), Broken> {
        let mut row = [0; ORDER];
        for then in 0..self.group.len() {
            row[then] = twins[self.group.after(then, which)];
        }
        let known = &mut self.twins[local as usize];
        if known[0] == u32::MAX {
            *known = row;
            let class = twins.iter().copied().min().expect("invariant: itself at least");
            self.facts[local as usize].class = class;
        }
        demand(self.twins[local as usize] == row, Law::Symmetry, || {
            let node = self.locals[local as usize].raft.status();
            format!("two ways to a state of node {} have different twins: {node:?}", node.id)
        })
    }

    pub(super) fn intern_message(&mut self, envelope: Envelope) -> u32 {
        let digest_here = digest(&envelope);
        if let Some(&known) = self.message_ids.get(&digest_here) {
            return known;
        }
        let first = id(self.messages.len());
        // All its twins at once: the renamings of an envelope all differ from each other.
        let renamed = |renaming: Renaming| Envelope {
            from: rename_node(renaming, envelope.from),
            to: rename_node(renaming, envelope.to),
            message: envelope.message.clone(),
        };
        for which in 0..self.group.len() {
            let twin = renamed(self.group.renaming(which));
            let to = narrow(number(twin.to));
            let urges = matches!(twin.message.body, Body::TimeoutNow);
            let dead_bit = dead_bit(&twin.message);
            self.message_facts.push(MessageFacts { to, dead_bit, urges });
            self.message_ids.insert(digest(&twin), first + id(which));
            self.messages.push(twin);
            let row = std::array::from_fn(|then| {
                if then < self.group.len() { first + id(self.group.after(then, which)) } else { 0 }
            });
            self.message_twins.push(row);
        }
        assert!(self.messages.len() < 1 << 24, "messages are stored in three bytes");
        first
    }
}
