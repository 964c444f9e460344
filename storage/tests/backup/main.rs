//! Backups: the bytes of the file, what is noticed in them, and the state that is made of one.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod bytes;
mod damage;
mod fill;
mod rig;
