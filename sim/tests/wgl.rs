//! The search path of the oracle, held against recorded verdicts and against dumber judges.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "wgl/corpus.rs"]
mod corpus;
#[path = "wgl/edges.rs"]
mod edges;
#[path = "wgl/exhaustive.rs"]
mod exhaustive;
#[path = "wgl/generator.rs"]
mod generator;
#[path = "wgl/limits.rs"]
mod limits;
#[path = "wgl/mutated.rs"]
mod mutated;
#[path = "wgl/parser.rs"]
mod parser;
#[path = "wgl/random.rs"]
mod random;
#[path = "wgl/twins.rs"]
mod twins;
