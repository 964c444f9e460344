//! The pool: sockets, envelopes, keys and time around the core that believes things of members.

mod envelope;
mod keyring;
mod lzw;
mod refusal;

pub use envelope::{Envelope, Policy, StreamOpener};
pub use keyring::{KEYS_MAX, Key, KeyError, Keyring};
pub use refusal::{Refusal, Refusals};
