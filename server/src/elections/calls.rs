//! What the rest of the process asks of the groups.

use std::collections::BTreeSet;

use protocol::bully::Epoch;
use protocol::bully::wire::Group;
use tokio::sync::oneshot;

use super::handle::{ElectionError, GroupView, Program};
use super::settings::Wish;

/// What becomes of a request.
pub(super) type Reply<T> = oneshot::Sender<Result<T, ElectionError>>;

/// A request.
#[derive(Debug)]
pub(super) enum Call {
    Stand { group: Group, wish: Wish, reply: Reply<Program> },
    Observe { group: Group, reply: Reply<Program> },
    Stopped { group: Group, epoch: Epoch, reply: Reply<()> },
    Report { group: Group, freshness: u64, reply: Reply<()> },
    Change { group: Group, electors: BTreeSet<String>, reply: Reply<()> },
    List(Reply<Vec<GroupView>>),
}
