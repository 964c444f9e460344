//! The pool: sockets, envelopes, keys and time around the core that believes things of members.
//!
//! ```text
//!                     thread "gossip"
//! UDP ◀─▶ envelope ◀─▶ ┌────────┐ ◀─calls── PoolHandle: the server, the admin API
//! TCP ◀─▶ envelope ◀─▶ │ driver │ ──events─▶ subscribers
//!                      │  Serf  │
//! time ──────────────▶ └────────┘ ◀────────▶ DIR/gossip: keys, incarnation
//! ```
//!
//! The wire is memberlist's and Serf's (`docs/formats.md`), the core `protocol::swim::serf`.
//! Here:
//!
//! - `envelope`, `keyring`, `lzw`: what wraps messages, and who may read them;
//! - `sockets`, `streams`, `driver`: the outputs of the core, carried out;
//! - `notebook`: what the next life under this name begins with;
//! - `rejoin`: joining until somebody answers; `failure`: why nobody did;
//! - `diary`, `complaints`: what the log says of events, and of those who were refused;
//! - `crowd`: many members on one thread, for measurements;
//! - `handle`, `call`, `event`, `member`, `keys`: the pool for the rest of the process.
//!
//! Whatever comes in may be anybody's: it is bounded in bytes, in time and in number before it is
//! believed, and what is not taken is counted by reason ([`Refusal`]).
//!
//! Left out: batches of packets in one call to the system, so a packet costs one call.

mod call;
mod complaints;
mod crowd;
mod diary;
mod driver;
mod envelope;
mod error;
mod event;
mod failure;
mod handle;
mod keyring;
mod keys;
mod lzw;
mod member;
mod notebook;
mod pool;
mod refusal;
mod rejoin;
mod settings;
mod sockets;
mod streams;
mod traffic;

pub use call::{Answer, PoolStatus};
pub use crowd::Crowd;
pub use driver::PoolEnd;
pub use envelope::{Envelope, Policy, Scratch, StreamOpener};
pub use error::PoolError;
pub use event::{Notice, Subscription};
pub use handle::{CallError, PoolHandle};
pub use keyring::{KEYS_MAX, Key, KeyError, Keyring};
pub use keys::KeyReport;
pub use member::{PoolMember, Standing, tags_of};
pub use pool::Pool;
pub use refusal::{Refusal, Refusals};
pub use settings::{Profile, Settings};
pub use traffic::{Counter, Level, Traffic};
