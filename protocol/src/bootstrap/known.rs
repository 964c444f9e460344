//! What one server has seen of the others.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::{Pledge, Seat, Sighting, Warning};
use crate::{ClusterId, NodeId};

/// Servers that are heeded.
const MOST: usize = 256;

/// What was seen of one. Laws:
///
/// - `pledge` is the lowest that it was seen to hold: what it shows later is lower, or was shown
///   before;
/// - `cluster` is the last one that it was seen to belong to;
/// - it is a founder if it was seen with both at once: who follows shows no pledge any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    seat: Seat,
    expect: Option<usize>,
    pledge: Option<Pledge>,
    cluster: Option<ClusterId>,
    is_founder: bool,
    alive: bool,
}

impl Server {
    fn unseen(seat: Seat) -> Self {
        let (expect, pledge, cluster) = (None, None, None);
        Self { seat, expect, pledge, cluster, is_founder: false, alive: false }
    }
}

/// The other servers, as far as they were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Known {
    servers: BTreeMap<NodeId, Server>,
}

impl Known {
    /// Takes in a sighting; returns what is wrong with it.
    pub(super) fn saw(&mut self, saw: Sighting, alive: bool, ours: usize) -> Option<Warning> {
        let Sighting { seat, expect, shown } = saw;
        let id = seat.id;
        let name = seat.name.clone();
        if shown.pledge.as_ref().is_some_and(|pledge| !pledge.names(id)) {
            return Some(Warning::Absurd { name });
        }
        if !self.servers.contains_key(&id) && self.servers.len() == MOST {
            return Some(Warning::Crowded);
        }
        let server = self.servers.entry(id).or_insert_with(|| Server::unseen(seat.clone()));
        (server.seat, server.expect, server.alive) = (seat, expect, alive);
        server.cluster = shown.cluster.or(server.cluster);
        server.is_founder |= shown.cluster.is_some() && shown.pledge.is_some();
        let forgot = match (&server.pledge, shown.pledge) {
            (Some(lowest), Some(now)) if now > *lowest => true,
            (_, Some(now)) => {
                server.pledge = Some(now);
                false
            }
            (_, None) => false,
        };
        let other = expect.filter(|theirs| *theirs != ours && server.cluster.is_none());
        match other {
            _ if forgot && alive => Some(Warning::Forgot { name }),
            Some(theirs) => Some(Warning::OtherNumber { name, theirs, ours }),
            None => None,
        }
    }

    pub(super) fn forget(&mut self, id: NodeId) {
        self.servers.remove(&id);
    }

    pub(super) fn name(&self, id: NodeId) -> Option<String> {
        self.servers.get(&id).map(|server| server.seat.name.clone())
    }

    pub(super) fn seat(&self, id: NodeId) -> Option<Seat> {
        self.servers.get(&id).map(|server| server.seat.clone())
    }

    fn pledge(&self, id: NodeId) -> Option<&Pledge> {
        self.servers.get(&id).and_then(|server| server.pledge.as_ref())
    }

    /// All pledges that somebody was seen to hold, each once, in order.
    pub(super) fn pledges(&self) -> impl Iterator<Item = &Pledge> {
        let all: BTreeSet<&Pledge> =
            self.servers.values().filter_map(|server| server.pledge.as_ref()).collect();
        all.into_iter()
    }

    /// Whom a pledge names and who was not seen to hold it, but for `own`.
    pub(super) fn missing(&self, pledge: &Pledge, own: NodeId) -> Vec<NodeId> {
        let others = pledge.servers().iter().copied().filter(|id| *id != own);
        others.filter(|id| self.pledge(*id) != Some(pledge)).collect()
    }

    /// Whether this pledge can never be founded: somebody in it holds a lower one, and so has never
    /// held it and never will.
    pub(super) fn is_dead(&self, pledge: &Pledge) -> bool {
        let lower = |id: &NodeId| self.pledge(*id).is_some_and(|held| held < pledge);
        pledge.servers().iter().any(lower)
    }

    /// Whether this pledge may come to be without anybody coming back.
    pub(super) fn is_hopeful(&self, pledge: &Pledge, own: NodeId, expect: usize) -> bool {
        let comes = |id: &NodeId| {
            self.servers.get(id).is_some_and(|server| {
                server.alive && server.expect == Some(expect) && !self.shares_seat(&server.seat)
            })
        };
        !self.is_dead(pledge) && self.missing(pledge, own).iter().all(comes)
    }

    /// Whether somebody who held this pledge was seen to have founded a group with it.
    pub(super) fn was_founded(&self, pledge: &Pledge) -> bool {
        let servers = pledge.servers().iter().filter_map(|id| self.servers.get(id));
        let mut held = servers.filter(|server| server.pledge.as_ref() == Some(pledge));
        held.any(|server| server.is_founder)
    }

    /// Those who are alive, expect as many and have pledged nothing.
    pub(super) fn candidates(&self, expect: usize) -> impl Iterator<Item = NodeId> {
        let free = move |server: &&Server| {
            server.alive
                && server.expect == Some(expect)
                && server.pledge.is_none()
                && !self.shares_seat(&server.seat)
        };
        self.servers.values().filter(free).map(|server| server.seat.id)
    }

    /// Somebody alive who has the same name or address and is not the same.
    pub(super) fn namesake(&self, seat: &Seat) -> Option<Seat> {
        let same = |other: &Seat| {
            other.id != seat.id && (other.name == seat.name || other.peer == seat.peer)
        };
        let alive = self.servers.values().filter(|server| server.alive);
        alive.map(|server| &server.seat).find(|other| same(other)).cloned()
    }

    /// Whether there is such a one.
    pub(super) fn shares_seat(&self, seat: &Seat) -> bool {
        self.namesake(seat).is_some()
    }

    /// Each cluster that somebody was seen to belong to, with one who does.
    fn clusters_shown(&self) -> BTreeMap<ClusterId, &Server> {
        let shown = self.servers.values().rev();
        shown.filter_map(|server| Some((server.cluster?, server))).collect()
    }

    /// The clusters that somebody was seen to belong to.
    pub(super) fn clusters(&self) -> impl Iterator<Item = ClusterId> {
        self.clusters_shown().into_keys()
    }

    /// The only cluster there is, when one of it is alive.
    pub(super) fn only_cluster_alive(&self) -> Option<ClusterId> {
        let mut all = self.clusters();
        let (first, second) = (all.next()?, all.next());
        let living = |server: &Server| server.alive && server.cluster == Some(first);
        (second.is_none() && self.servers.values().any(living)).then_some(first)
    }

    pub(super) fn askable(&self, cluster: ClusterId) -> Vec<Seat> {
        let may = |server: &&Server| server.cluster.is_none_or(|other| other == cluster);
        let mut of: Vec<&Server> = self.servers.values().filter(may).collect();
        of.sort_by_key(|server| (server.cluster.is_none(), !server.alive));
        of.into_iter().map(|server| server.seat.clone()).collect()
    }

    /// That there is a second cluster; `own` is this server's, and its name.
    pub(super) fn two_clusters(&self, own: Option<ClusterId>, name: &str) -> Option<Warning> {
        let mut all: BTreeMap<ClusterId, String> = self
            .clusters_shown()
            .into_iter()
            .map(|(cluster, server)| (cluster, server.seat.name.clone()))
            .collect();
        if let Some(own) = own {
            all.insert(own, name.into());
        }
        let mut all = all.into_iter();
        let (one, other) = (all.next()?, all.next()?);
        Some(Warning::TwoClusters { one, other })
    }
}
