//! Candidates on a stage of their own, message by message.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod classic;
mod electorate;
mod granter;
mod leader;
mod meeting;
mod random;
mod stage;
mod stand;
mod wire;
