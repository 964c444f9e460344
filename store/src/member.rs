//! Who belongs to the cluster, and who shall.
//!
//! What operators wish is a command like any other ([`MemberChange`]). Applying it changes nothing
//! by itself: the wish joins a short queue, and the leader brings the configuration of consensus
//! to what the first one says. That configuration is an entry of the log, too; once it has been
//! applied and says what the wish said, the wish is settled.
//!
//! ```text
//! Member(change) ─▶ queue ─▶ refused by what the state knows, or it stands
//!                            it stands ─▶ configuration applied that does it ─▶ settled
//!                                     └─▶ Settle, by what only a leader knows ─▶ refused
//! ```
//!
//! Laws:
//!
//! - wishes are settled one after the other, in the order of the log, each once;
//! - a wish is judged by the state in which it stands first in line, on every replica alike, and
//!   again after every configuration that was applied meanwhile;
//! - whoever was removed never comes back under the same id;
//! - everybody in the configuration has a seat in the table, and nobody else.
//!
//! A new member is always a learner first, whatever was wished: its seat says that it shall vote,
//! and the leader sees to it once its log is nearly complete. So an address that leads nowhere
//! costs nobody a quorum.
//!
//! Until the log holds a first configuration, the members are those that everybody was started
//! with, which no state knows: wishes wait, unjudged. The leader provides one when it sees them.
//!
//! Left out: nothing limits how many ids the removed are; each takes a few bytes for ever.

mod change;
mod queue;
mod table;

pub use change::{MemberChange, MemberRefusal};
pub(crate) use change::{read_change, read_refusal, write_change, write_refusal};
pub use queue::{MAX_WISHES, Wish};
pub(crate) use queue::{Queue, Roster};
pub use table::{MemberTable, Part, Seat};
