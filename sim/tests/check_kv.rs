//! The checks of what clients saw, checked: right histories pass, wrong ones do not.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::cast_possible_truncation, reason = "drawn from small ranges")]

#[path = "check_kv/ask.rs"]
mod ask;
#[path = "check_kv/exhaustive.rs"]
mod exhaustive;
#[path = "check_kv/generate.rs"]
mod generate;
#[path = "check_kv/listen.rs"]
mod listen;
#[path = "check_kv/many.rs"]
mod many;
#[path = "check_kv/mishear.rs"]
mod mishear;
#[path = "check_kv/mutate.rs"]
mod mutate;
#[path = "check_kv/right.rs"]
mod right;
