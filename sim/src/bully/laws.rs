//! The laws, and who watches them: somebody who sees everything and has the true time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use protocol::NodeId;
use protocol::bully::message::Body;
use protocol::bully::{Durable, Electorate, Epoch, Version};

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

/// What has been granted, won and settled.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// Who won which epoch.
    winners: BTreeMap<Epoch, NodeId>,
    /// What was ever durable: by whom, to whom, which epoch.
    ballots: BTreeSet<(NodeId, NodeId, Epoch)>,
    /// To whom each member has said that it granted an epoch.
    granted: BTreeMap<(NodeId, Epoch), NodeId>,
    /// Each electorate, and the one that it was made from.
    electorates: BTreeMap<Version, (Electorate, Option<Version>)>,
    /// The newest that has settled.
    settled: Option<Version>,
}

impl Ledger {
    /// A write is on a disk.
    pub(super) fn durable(&mut self, who: NodeId, durable: &Durable) {
        let ballot = durable.ballot.map(|ballot| (who, ballot.holder, ballot.epoch));
        self.ballots.extend(ballot);
    }

    /// A member says something.
    pub(super) fn said(&mut self, who: NodeId, to: NodeId, body: &Body) -> Result<(), Broken> {
        let (epoch, is_grant) = match body {
            Body::Grant { epoch, .. } => (*epoch, true),
            Body::Ack { epoch, .. } => (*epoch, false),
            Body::Election
            | Body::Alive
            | Body::Victory
            | Body::Ask
            | Body::Answer { .. }
            | Body::Claim(_)
            | Body::Refuse { .. }
            | Body::Renew(_)
            | Body::Release { .. } => return Ok(()),
        };
        let law = "GI4 grants are durable";
        // A member may agree with the leader of an earlier epoch than the one that it has granted.
        let latest = if is_grant { epoch } else { Epoch(u64::MAX) };
        let promised = (who, to, epoch)..=(who, to, latest);
        if self.ballots.range(promised).next().is_none() {
            return Err(Broken::new(law, format!("{who} grants {epoch} to {to} in memory only")));
        }
        let before = *self.granted.entry((who, epoch)).or_insert(to);
        if is_grant && before != to {
            let seen = format!("{who} grants {epoch} to {to} after it did to {before}");
            return Err(Broken::new(law, seen));
        }
        Ok(())
    }

    /// Somebody is elected, by this electorate.
    pub(super) fn elected(
        &mut self,
        who: NodeId,
        epoch: Epoch,
        by: Option<&Electorate>,
    ) -> Result<(), Broken> {
        if let Some(before) = self.winners.get(&epoch) {
            let seen = format!("{who} wins epoch {epoch}, which {before} had won");
            return Err(Broken::new("GI2 one holder", seen));
        }
        let last = self.winners.last_key_value().map_or(Epoch(0), |(last, _)| *last);
        if epoch <= last {
            let seen = format!("{who} wins epoch {epoch} after {last} was won");
            return Err(Broken::new("GI3 epochs grow", seen));
        }
        self.winners.insert(epoch, who);
        let version = by.map(|by| by.version);
        match (self.settled, version) {
            (Some(settled), Some(version)) if !self.descends(version, settled) => {
                let seen = format!("{who} is elected by {version:?}, and {settled:?} has settled");
                Err(Broken::new("GI5 electorates", seen))
            }
            (_, None) => Err(Broken::new("GI5 electorates", format!("{who} is elected by none"))),
            (_, Some(_)) => Ok(()),
        }
    }

    /// Somebody goes by another electorate than before.
    pub(super) fn goes_by(
        &mut self,
        who: NodeId,
        electorate: &Electorate,
        before: Option<&Electorate>,
    ) -> Result<(), Broken> {
        let law = "GI5 electorates";
        if let Some((known, _)) = self.electorates.get(&electorate.version) {
            let same = known == electorate;
            let seen = || format!("{known:?} and {electorate:?} have one version");
            return if same { Ok(()) } else { Err(Broken::new(law, seen())) };
        }
        let is_first = electorate.version == Version::default();
        if !is_first && !before.is_some_and(|before| follows(before, electorate)) {
            let seen = format!("{who} makes {electorate:?} from {before:?}");
            return Err(Broken::new(law, seen));
        }
        let parent = before.map(|before| before.version).filter(|_| !is_first);
        self.electorates.insert(electorate.version, (electorate.clone(), parent));
        Ok(())
    }

    /// A leader says that this one is durable at its majorities.
    pub(super) fn settled(&mut self, electorate: &Electorate) -> Result<(), Broken> {
        let version = electorate.version;
        if let Some(before) = self.settled.filter(|before| !self.descends(version, *before)) {
            let seen = format!("{version:?} settles, which does not descend from {before:?}");
            return Err(Broken::new("GI5 electorates", seen));
        }
        self.settled = Some(version);
        Ok(())
    }

    pub(super) fn elections(&self) -> usize {
        self.winners.len()
    }

    fn descends(&self, from: Version, ancestor: Version) -> bool {
        let mut at = Some(from);
        while let Some(version) = at {
            if version == ancestor {
                return true;
            }
            at = self.electorates.get(&version).and_then(|(_, parent)| *parent);
        }
        false
    }
}

/// Whether one electorate may be made from the other: the same one in a later epoch, one with two
/// sets, or the one with the new set alone.
fn follows(before: &Electorate, next: &Electorate) -> bool {
    let same = before.members == next.members;
    let later = before.version.epoch < next.version.epoch
        && before.version.number == next.version.number
        && same
        && before.outgoing == next.outgoing;
    let counted = before.version.epoch == next.version.epoch
        && before.version.number + 1 == next.version.number;
    let joint = counted && !before.is_joint() && next.outgoing == before.members;
    let settled = counted && before.is_joint() && !next.is_joint() && same;
    before.group == next.group && (later || joint || settled)
}
