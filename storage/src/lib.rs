//! storage

pub mod datadir;
pub mod disk;
pub mod log;
pub mod state;
