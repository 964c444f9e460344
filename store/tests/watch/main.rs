//! What watches promise, checked against a small world whose whole past is known.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bounds;
mod bugs;
mod checker;
mod desk;
mod meaning;
mod model;
mod progress;
mod real;
mod world;
