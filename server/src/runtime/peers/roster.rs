//! Who may speak here, as the configuration and the state tell.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use node::{Acquaintances, Life};
use protocol::raft::Membership;
use protocol::{Index, NodeId};

use super::handshake::{Hello, Identity, Verdict, judge};

/// Members that no configuration here has named, and that are heard all the same. More of them are
/// turned away until the log has told of some.
const MAX_NEWCOMERS: usize = 16;

/// Who may speak here. Kept by the driver, looked at by every handshake.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    inner: Arc<Mutex<Inner>>,
}

/// Laws:
///
/// - whoever was removed for good, as applied here, is told so;
/// - whoever any configuration has named since the start is heard: the newest one may be void;
/// - whoever knows a newer configuration than this member is heard: it may lead by now;
/// - a member that is in no configuration, such as one that joins, hears anybody.
#[derive(Debug)]
struct Inner {
    me: NodeId,
    /// Where others reach this member.
    address: String,
    known: BTreeSet<NodeId>,
    /// Those whom the configuration in force names: they are dialled.
    named: BTreeSet<NodeId>,
    newcomers: BTreeSet<NodeId>,
    removed: BTreeSet<NodeId>,
    /// The index of the configuration in force.
    configuration: Index,
    /// Whether it names this member.
    belongs: bool,
}

impl Roster {
    pub(crate) fn new(me: NodeId, address: String, known: BTreeSet<NodeId>) -> Self {
        let inner = Inner {
            me,
            address,
            known,
            named: BTreeSet::new(),
            newcomers: BTreeSet::new(),
            removed: BTreeSet::new(),
            configuration: Index(0),
            belongs: false,
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is where this member is reached itself: whoever had the address before it is
    /// not to be found there any more.
    pub(super) fn is_at(&self, address: &str) -> bool {
        self.lock().address == address
    }

    /// Another configuration is in force. `address`: of this member, if it says so.
    pub(crate) fn changed(&self, at: Index, membership: &Membership, address: Option<String>) {
        let mut inner = self.lock();
        inner.configuration = at;
        inner.belongs = membership.contains(inner.me);
        inner.named = membership.members();
        inner.known.extend(membership.members());
        let Inner { known, newcomers, .. } = &mut *inner;
        newcomers.retain(|id| !known.contains(id));
        if let Some(address) = address {
            inner.address = address;
        }
    }

    /// These were removed for good.
    pub(crate) fn removed(&self, removed: BTreeSet<NodeId>) {
        self.lock().removed = removed;
    }

    /// Whether somebody who may be heard on a link is also heard over others: whoever is removed,
    /// or was never met here, is not.
    pub(super) fn hears(&self, id: NodeId) -> bool {
        let inner = self.lock();
        let met = inner.known.contains(&id) || inner.newcomers.contains(&id);
        met && !inner.removed.contains(&id)
    }

    /// What this member says of itself when it dials.
    pub(super) fn hello(
        &self,
        from: Identity,
        to: NodeId,
        (life, known): (Life, Acquaintances),
    ) -> Hello {
        let inner = self.lock();
        let (configuration, address) = (inner.configuration, inner.address.clone());
        Hello { from, to, configuration, address, life, known }
    }

    /// Judges a hello; whether the place is taken is known only to the caller. The flag says that
    /// the configuration in force does not name the dialler, so that nobody dials it.
    pub(super) fn judge(&self, hello: &Hello, me: Identity) -> (Verdict, bool) {
        let mut inner = self.lock();
        let verdict = judge(hello, me);
        let from = hello.from.id;
        if verdict != Verdict::Welcome {
            return (verdict, false);
        }
        if inner.removed.contains(&from) {
            return (Verdict::Removed, false);
        }
        if inner.known.contains(&from) {
            return (Verdict::Welcome, !inner.named.contains(&from));
        }
        let newer = hello.configuration > inner.configuration || !inner.belongs;
        let room = inner.newcomers.len() < MAX_NEWCOMERS || inner.newcomers.contains(&from);
        if newer && room && from.0 != 0 {
            inner.newcomers.insert(from);
            (Verdict::Welcome, true)
        } else {
            (Verdict::Stranger, false)
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::ClusterId;

    use super::*;

    const ME: Identity = Identity { cluster: ClusterId(1), id: NodeId(1), incarnation: 0 };

    fn hello(from: u64, configuration: u64) -> Hello {
        let from = Identity { id: NodeId(from), incarnation: 9, ..ME };
        let address = "h:1".to_owned();
        let (life, known) = (Life::new(5), Acquaintances::default());
        Hello { from, to: ME.id, configuration: Index(configuration), address, life, known }
    }

    fn roster() -> Roster {
        let roster = Roster::new(ME.id, "h:0".into(), BTreeSet::new());
        let voters = BTreeSet::from([NodeId(1), NodeId(2)]);
        roster.changed(Index(7), &Membership { voters, ..Membership::default() }, None);
        roster
    }

    #[test]
    fn members_are_welcome_and_who_knows_less_than_this_one_is_not() {
        let roster = roster();
        assert_eq!(roster.judge(&hello(2, 0), ME), (Verdict::Welcome, false));
        assert_eq!(roster.judge(&hello(3, 7), ME), (Verdict::Stranger, false));
        assert_eq!(roster.judge(&hello(3, 8), ME), (Verdict::Welcome, true));
        assert_eq!(roster.judge(&hello(0, 8), ME), (Verdict::Stranger, false));
    }

    #[test]
    fn a_configuration_that_may_be_void_makes_nobody_a_stranger() {
        let roster = roster();
        let voters = BTreeSet::from([NodeId(1)]);
        roster.changed(Index(9), &Membership { voters, ..Membership::default() }, None);
        assert_eq!(roster.judge(&hello(2, 7), ME), (Verdict::Welcome, true));
        roster.removed(BTreeSet::from([NodeId(2)]));
        assert_eq!(roster.judge(&hello(2, 7), ME), (Verdict::Removed, false));
    }

    #[test]
    fn who_belongs_nowhere_hears_anybody_up_to_a_number() {
        let roster = Roster::new(ME.id, "h:0".into(), BTreeSet::new());
        for id in 2..2 + MAX_NEWCOMERS as u64 {
            assert_eq!(roster.judge(&hello(id, 0), ME), (Verdict::Welcome, true));
        }
        assert_eq!(roster.judge(&hello(99, 0), ME), (Verdict::Stranger, false));
        assert_eq!(roster.judge(&hello(2, 0), ME), (Verdict::Welcome, true), "once more");
    }
}
