//! The laboratory: published measurements of elections, repeated with the production core.

pub mod cluster;
pub mod figure16;
pub mod links;
pub mod sample;
pub(crate) mod table;
pub mod theory;
pub mod topology;
pub mod wan;

use protocol::Rng;

/// A seed of its own for each stream of trials: neighbouring streams share no numbers.
fn fork(seed: u64, stream: u64) -> u64 {
    let mixed = Rng::new(stream).next();
    Rng::new(seed ^ mixed).next()
}
