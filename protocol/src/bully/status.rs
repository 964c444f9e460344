//! What a candidate looks like from outside.

use super::ballot::Ballot;
use super::boundary::{Leader, Lease};
use super::electorate::Electorate;
use super::rank::Rank;
use super::safe::{Role, Safe};
use super::{Bully, Classic, Machine};
use crate::{NodeId, Time, bootstrap};

/// What a candidate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Follows a leader, or waits.
    Follower,
    /// Looks whether it should lead.
    Candidate,
    /// Leads.
    Leader,
    /// Leads no more; its program may not have stopped yet.
    Stopping,
}

/// A look at a candidate, for operators and tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// Who it is, and how good.
    pub rank: Rank,
    /// What it does.
    pub part: Part,
    /// Who leads, as far as it knows.
    pub leader: Option<Leader>,
    /// Its own lease.
    pub lease: Option<Lease>,
    /// What it has granted last.
    pub ballot: Option<Ballot>,
    /// Whom it grants nobody else anything for, and how long.
    pub promise: Option<(NodeId, Time)>,
    /// Who decides.
    pub electorate: Option<Electorate>,
    /// How the founding stands, while there is no electorate.
    pub meeting: Option<bootstrap::Status>,
    /// The penalty for changes of leaders, in thousandths of a change.
    pub penalty: u64,
    /// Messages that made no sense.
    pub dropped: u64,
}

impl Bully {
    /// How things stand.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.0 {
            Machine::Classic(classic) => of_classic(classic),
            Machine::Safe(safe) => of_safe(safe),
        }
    }
}

fn of_classic(classic: &Classic) -> Status {
    let core = &classic.core;
    let leads = core.leader.is_some_and(|leader| leader.id == core.id());
    let part = match (classic.is_electing(), leads) {
        (true, _) => Part::Candidate,
        (false, true) => Part::Leader,
        (false, false) => Part::Follower,
    };
    Status {
        rank: core.rank(),
        part,
        leader: core.leader,
        lease: None,
        ballot: None,
        promise: None,
        electorate: None,
        meeting: None,
        penalty: 0,
        dropped: core.dropped,
    }
}

fn of_safe(safe: &Safe) -> Status {
    let (part, lease) = match &safe.role {
        Role::Follower { .. } => (Part::Follower, None),
        Role::Asking(_) | Role::Claiming(_) => (Part::Candidate, None),
        Role::Leading(leading) => {
            (Part::Leader, Some(Lease { epoch: leading.epoch, until: leading.until }))
        }
        Role::Stopping { epoch, until, .. } => {
            (Part::Stopping, Some(Lease { epoch: *epoch, until: *until }))
        }
    };
    Status {
        rank: safe.core.rank(),
        part,
        leader: safe.core.leader,
        lease,
        ballot: safe.durable.ballot,
        promise: safe.promise.map(|promise| (promise.to, promise.until)),
        electorate: safe.durable.electorate.clone(),
        meeting: safe.meeting_status(),
        penalty: safe.damping.penalty(),
        dropped: safe.core.dropped,
    }
}
