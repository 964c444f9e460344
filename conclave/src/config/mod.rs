//! Settings: where they come from, which one counts, and what a server is made of.
//!
//! Each setting has one name. It is a flag (`--data-dir D`), a key of the TOML file
//! (`data-dir = "D"`) and a variable of the environment (`CONCLAVE_DATA_DIR=D`). A flag counts
//! before the environment, the environment before the file, the file before the default. All
//! three are read by the flags' own parser, so that a value means the same wherever it stands
//! and a wrong one gets the same sentence. An unknown name is an error in all three.

mod build;
mod founding;
mod gossip;
mod layer;
mod settings;
mod value;

pub(crate) use build::build;
pub(crate) use gossip::{Gossip, machine};
pub(crate) use layer::collect;
pub(crate) use settings::{Consensus, Settings};
pub(crate) use value::{duration, initial_member};
