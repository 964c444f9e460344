//! The laws of a founding, and who watches them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use protocol::NodeId;
use protocol::bootstrap::{Pledge, Seat, Shown};

/// A law that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub law: &'static str,
    /// What was seen.
    pub seen: String,
}

impl Broken {
    pub(super) fn new(law: &'static str, seen: impl Into<String>) -> Self {
        Self { law, seen: seen.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.seen)
    }
}

/// What has been pledged and founded, as somebody who sees everything knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ledger {
    /// What each server's disk holds.
    pub(super) held: BTreeMap<NodeId, Pledge>,
    /// The groups that somebody has begun to found.
    pub(super) founded: BTreeSet<Pledge>,
}

impl Ledger {
    /// A disk holds another pledge.
    pub(super) fn pledged(&mut self, who: NodeId, pledge: &Pledge) -> Result<(), Broken> {
        let before = self.held.insert(who, pledge.clone());
        match before {
            Some(before) if *pledge >= before => Err(Broken::new(
                "BI3 one pledge",
                format!("{who} held {before} and now pledges {pledge}"),
            )),
            _ => Ok(()),
        }
    }

    /// A server shows this.
    pub(super) fn showed(&self, who: NodeId, shown: &Shown) -> Result<(), Broken> {
        let Some(pledge) = &shown.pledge else { return Ok(()) };
        if self.held.get(&who) == Some(pledge) {
            return Ok(());
        }
        let seen = format!("{who} shows {pledge} and holds {:?}", self.held.get(&who));
        Err(Broken::new("BI3 one pledge", seen))
    }

    /// A server founds a group; `alone` when there are too few servers for two.
    pub(super) fn founds(
        &mut self,
        who: NodeId,
        seats: &[Seat],
        (expect, alone): (usize, bool),
    ) -> Result<Pledge, Broken> {
        let pledge = Pledge::new(seats.iter().map(|seat| seat.id));
        let pledge = pledge.filter(|it| it.size() == seats.len() && it.size() == expect);
        let Some(pledge) = pledge else {
            return Err(Broken::new("BI2 founders", format!("{who} founds with {seats:?}")));
        };
        for id in pledge.servers() {
            if self.held.get(id) != Some(&pledge) {
                let held = self.held.get(id);
                let seen = format!("{who} founds {pledge}, and {id} holds {held:?}");
                return Err(Broken::new("BI2 founders", seen));
            }
        }
        self.founded.insert(pledge.clone());
        let others = || self.founded.iter().filter(|it| **it != pledge);
        if let Some(other) = others().find(|other| alone || other.meets(&pledge)) {
            return Err(Broken::new("BI1 one group", format!("{pledge} and {other} are founded")));
        }
        Ok(pledge)
    }
}
