//! Candidates on a stage of their own, message by message.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod classic;
mod electorate;
mod granter;
mod leader;
mod meeting;
#[cfg(feature = "mutants")]
mod mutants;
mod random;
mod stage;
