//! The replicated state machine: etcd's multi-version key-value store, leases and watches.
//!
//! `apply(position, command)` is deterministic: the same commands in the same order give the same
//! state, revisions, outcomes and events on every replica. Nothing here knows a clock, a disk or a
//! network; values that are not in memory are named, fetched by the caller, and handed back.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::wildcard_enum_match_arm)]

extern crate alloc;

mod alarm;
mod backend;
mod codec;
mod command;
mod compact;
mod cursor;
mod equality;
mod error;
mod event;
mod flush;
mod hash;
mod history;
mod index;
mod inheritance;
mod key;
mod key_index;
mod kv;
mod lease;
mod limits;
mod member;
mod meta;
mod needs;
mod plan;
mod range;
mod recent;
mod record;
mod recovery;
mod restore;
mod revision;
mod session;
pub mod snapshot;
mod store;
mod txn;
mod validate;
mod view;
pub mod watch;

pub use backend::{Backend, BackendError, BackendRead, Flush, MemoryBackend, Size};
pub use codec::DecodeError;
pub use command::{
    Alarm, AlarmAction, Command, Compare, Comparison, Condition, DeleteRange, Member, Operation,
    Outcome, Put, Txn,
};
pub use cursor::RangeCursor;
pub use error::Error;
pub use event::{Event, EventKind, Previous};
pub use hash::{HashCursor, HistoryHash};
pub use inheritance::{Bump, inherit, succeed};
pub use lease::{LeaseId, LeaseView};
pub use limits::Limits;
pub use member::{MAX_WISHES, MemberChange, MemberRefusal, MemberTable, Part, Seat, Wish};
pub use meta::{installed, membership, recoveries, revisions};
pub use plan::{TxnPlan, TxnView};
pub use range::{Filter, KeyRange, Range, RangeResult, SortOrder, SortTarget};
pub use record::{KeyValue, Record};
pub use recovery::Recovery;
pub use restore::{RestoreError, Restoring};
pub use revision::Revision;
pub use session::{ClientId, SessionLimits, Stamp};
pub use store::{Applied, Store};
pub use validate::MAX_TXN_DEPTH;
pub use view::{Gone, Row, Stored, View};
