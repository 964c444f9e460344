//! Three ways to a leader, measured on one workload.
mod bully;
mod contender;
mod contest;
pub mod flaps;
mod member;
mod meter;
mod network;
mod pool;
mod raft;
mod scenario;
mod settings;
pub mod tally;
pub mod trial;
mod zab;

pub use contender::Contender;
pub use scenario::Scenario;
pub use settings::{Settings, Told};
