//! The same worlds for groups that run Zab.

use node::Protocol;
use protocol::raft::ReadMode;
use protocol::zab::Timing;

use super::Options;
use crate::storm::Kind;

impl Options {
    /// The world of a seed, of a group that runs Zab.
    #[must_use]
    pub fn of_zab_seed(seed: u64) -> Self {
        Self::of_seed(seed).with_zab()
    }

    /// This world with a group that runs Zab: its members are static, and speak over connections.
    #[must_use]
    pub fn with_zab(mut self) -> Self {
        let (least, most) = (self.consensus.election.start(), self.consensus.election.end());
        let timing = Timing::between(self.consensus.heartbeat, *least, *most);
        self.consensus.protocol = Protocol::Zab(timing);
        self.consensus.reads = ReadMode::Quorum;
        self.joiners = 0;
        self.storm.kinds.retain(|kind| happens(*kind));
        self
    }

    /// Whether its group runs Zab.
    #[must_use]
    pub const fn runs_zab(&self) -> bool {
        matches!(self.consensus.protocol, Protocol::Zab(_))
    }
}

/// Whether a kind of fault has a meaning where members are static, leadership stays where it is and
/// a connection delivers each message once, in order.
const fn happens(kind: Kind) -> bool {
    let of_datagrams = matches!(kind, Kind::Doubling | Kind::Replay | Kind::Reorder);
    let of_raft = matches!(kind, Kind::Transfer);
    !(of_datagrams || of_raft || kind.changes_members() || kind.loses_disks())
}
