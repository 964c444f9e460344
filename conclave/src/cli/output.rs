//! Answers on standard output: raw bytes for people and pipes, JSON for programs.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::failure::Result;

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: lines and tables.
    #[default]
    #[value(alias = "table")]
    Plain,
    /// For programs: one JSON document a line; keys and values in base64.
    Json,
}

/// The flag that chooses the format.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Output {
    /// How the answer is written.
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    #[arg(global = true)]
    pub(crate) format: Format,
}

/// Writes bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Writes text and a line end.
pub(crate) fn line(text: impl std::fmt::Display) -> Result {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes one JSON document and a line end.
pub(crate) fn json(value: &Value) -> Result {
    line(value)
}
