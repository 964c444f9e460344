//! The oracle: what clients saw, held against what a correct store could have shown them.

pub mod corpus;
pub mod judge;
pub mod kv;
pub mod lease;
pub mod ledger;
mod mixer;
pub mod register;
pub mod watch;
pub mod wgl;

pub use judge::{Summary, judge, judge_within};
