//! The virtual world that breaks the production node, and the checks that notice.

pub mod bully;
mod calm;
pub mod case;
pub mod check;
pub mod compare;
pub mod crowd;
mod draw;
pub mod explore;
pub mod fault;
pub mod founding;
pub mod gallery;
pub mod history;
#[cfg(feature = "mutants")]
pub mod hunt;
pub mod invariants;
pub mod lab;
pub mod marks;
pub mod plot;
pub mod pool;
pub mod run;
pub mod seen;
pub mod shrink;
mod storm;
mod story;
pub mod swarm;
pub mod sweep;
pub mod trace;
pub mod world;

pub use storm::{Kind, Plan};
