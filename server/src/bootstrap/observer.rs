//! The core of a founding, between the pool and the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::NodeId;
use protocol::bootstrap::{Founding, Input, Output, Seat, Shown, Warning};
use protocol::swim::message::{Facts, Name};

use super::PoolSide;
use super::note::{self, Note};
use super::tags::{Card, Server, server_of};
use crate::gossip::{CallError, PoolMember, Standing};

/// What a founding has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Found the group of these.
    Form(Vec<Seat>),
    /// Ask this cluster's members to be taken in.
    Follow(protocol::ClusterId),
}

/// Why it cannot go on.
#[derive(Debug)]
pub(super) enum Stuck {
    /// The pool has ended, or does not take the tags.
    Pool(CallError),
    /// The pledge cannot be written.
    Disk(io::Error),
}

impl From<CallError> for Stuck {
    fn from(error: CallError) -> Self {
        Self::Pool(error)
    }
}

/// What was last seen of a member of the pool.
#[derive(Debug)]
struct Glimpse {
    facts: Arc<Facts>,
    standing: Standing,
    server: Option<Server>,
}

/// The core, and all that it speaks with.
#[derive(Debug)]
pub(super) struct Observer {
    pub(super) side: PoolSide,
    pub(super) core: Founding,
    pub(super) card: Card,
    pub(super) token: String,
    /// Where the pledge is kept; `None` forgets it at the end.
    pub(super) data_dir: Option<PathBuf>,
    seen: BTreeMap<Name, Glimpse>,
    /// Whose token is another one, as was told.
    strangers: BTreeSet<Name>,
    /// What the pool has not taken yet.
    unshown: Option<Shown>,
}

impl Observer {
    pub(super) fn new(
        side: PoolSide,
        (core, card): (Founding, Card),
        token: String,
        data_dir: Option<PathBuf>,
    ) -> Self {
        let (seen, strangers) = (BTreeMap::new(), BTreeSet::new());
        Self { side, core, card, token, data_dir, seen, strangers, unshown: None }
    }

    /// Looks at the pool and does what follows.
    pub(super) async fn look(&mut self) -> Result<Option<Outcome>, Stuck> {
        let members = self.side.pool.members().await?;
        self.take(members);
        self.carry_out().await
    }

    /// What was last seen of each server, by its id in the cluster.
    pub(super) fn servers(&self) -> BTreeMap<NodeId, (Name, Standing)> {
        let mut servers: BTreeMap<NodeId, (Name, Standing)> = BTreeMap::new();
        for (name, glimpse) in &self.seen {
            let server = glimpse.server.as_ref().filter(|server| server.has_token);
            let Some(id) = server.and_then(|server| server.id) else { continue };
            let entry = (name.clone(), glimpse.standing);
            // Of two that show one id, the living one counts.
            let other = servers.get(&id).map(|(_, standing)| *standing);
            if other.is_none_or(|other| glimpse.standing < other) {
                servers.insert(id, entry);
            }
        }
        servers
    }

    fn take(&mut self, members: Vec<PoolMember>) {
        let names: BTreeSet<&Name> = members.iter().map(PoolMember::name).collect();
        self.strangers.retain(|name| names.contains(name));
        let gone: Vec<(Name, Glimpse)> =
            self.seen.extract_if(.., |name, _| !names.contains(name)).collect();
        for server in gone.into_iter().filter_map(|(_, glimpse)| glimpse.server) {
            let seat = server.sighting.seat.id;
            // An agent that came back under another name shows the same seat there.
            let now = members.iter().filter_map(|member| server_of(&member.facts, &self.token));
            if !now.into_iter().any(|other| other.sighting.seat.id == seat) {
                self.core.handle(Input::Forgotten(seat));
            }
        }
        for PoolMember { facts, standing } in members {
            if facts.name == *self.side.pool.name() {
                continue;
            }
            let old = self.seen.get(&facts.name);
            if old.is_some_and(|old| old.facts == facts && old.standing == standing) {
                continue;
            }
            let before = old.and_then(|old| old.server.as_ref());
            let before = before.map(|server| server.sighting.seat.id);
            let server = server_of(&facts, &self.token);
            self.see(&facts.name, server.as_ref(), (before, standing));
            self.seen.insert(facts.name.clone(), Glimpse { facts, standing, server });
        }
    }

    fn see(
        &mut self,
        name: &Name,
        server: Option<&Server>,
        (before, standing): (Option<NodeId>, Standing),
    ) {
        let now = server.map(|server| server.sighting.seat.id);
        // Another server has come to this name; the one before it is not heard of any more.
        if let Some(before) = before.filter(|before| now.is_some_and(|now| now != *before)) {
            self.core.handle(Input::Forgotten(before));
        }
        let Some(server) = server else { return };
        if !server.has_token {
            if self.strangers.insert(name.clone()) {
                tracing::error!(
                    "{name} was started with another --cluster-token: no group is founded with it. \
                     Give both the same, or let them join different pools"
                );
            }
            return;
        }
        let alive = matches!(standing, Standing::Alive | Standing::Suspect);
        self.core.handle(Input::Saw { sighting: server.sighting.clone(), alive });
    }

    pub(super) async fn carry_out(&mut self) -> Result<Option<Outcome>, Stuck> {
        let mut outcome = None;
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Persist { id, pledge } => {
                    tracing::info!(%pledge, "pledges to found a group with these servers");
                    self.write(Note::pledged(&pledge)).await?;
                    self.core.handle(Input::Persisted(id));
                }
                // Of several the last holds: an earlier one that was not shown was not promised.
                Output::Show(shown) => self.unshown = Some(shown),
                Output::Form(seats) => {
                    self.write(Note::founded(&seats)).await?;
                    outcome = Some(Outcome::Form(seats));
                }
                Output::Follow(cluster) => outcome = Some(Outcome::Follow(cluster)),
                Output::Warn(warning) => warn(&warning),
            }
        }
        if let Some(shown) = &self.unshown {
            self.card.keep(&self.side.pool.own_tags().await?);
            self.side.pool.set_tags(self.card.tags(shown)).await?;
            self.unshown = None;
        }
        Ok(outcome)
    }

    /// On a thread of its own: a slow disk must not make the member look dead.
    async fn write(&self, note: Note) -> Result<(), Stuck> {
        let Some(path) = self.data_dir.clone() else { return Ok(()) };
        let written = tokio::task::spawn_blocking(move || note::write(&path, &note)).await;
        written.map_err(io::Error::other).and_then(|written| written).map_err(Stuck::Disk)
    }
}

fn warn(warning: &Warning) {
    match warning {
        Warning::TwoClusters { .. } | Warning::Same { .. } | Warning::Forgot { .. } => {
            tracing::error!("{warning}");
        }
        Warning::OtherNumber { .. } | Warning::Absurd { .. } | Warning::Crowded => {
            tracing::warn!("{warning}");
        }
    }
}
