//! `conclave kv del`.

use clap::Args;
use client::etcdserverpb::{DeleteRangeRequest, DeleteRangeResponse};
use serde_json::{Value, json};

use super::interval::Interval;
use super::print::{Parts, records};
use crate::cli::json;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Delete a key, or an interval of keys, and print how many there were.
///
/// Examples:
///
///   conclave kv del greeting
///   conclave kv del config/ --prefix --prev-kv
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Del {
    #[command(flatten)]
    removal: Removal,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// What is deleted, also inside a transaction.
#[derive(Clone, Debug, Args)]
pub(crate) struct Removal {
    #[command(flatten)]
    interval: Interval,
    /// Print what was deleted.
    #[arg(long)]
    prev_kv: bool,
}

impl Removal {
    pub(crate) fn request(&self) -> DeleteRangeRequest {
        let (key, range_end) = self.interval.ends();
        DeleteRangeRequest { key, range_end, prev_kv: self.prev_kv }
    }
}

impl Del {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        let response = block_on(async { Ok(client.delete(self.removal.request()).await?) })?;
        match self.output.format {
            Format::Json => output::json(&document(&response)),
            Format::Plain => {
                let mut out = Vec::new();
                lines(&response, &mut out);
                output::bytes(&out)
            }
        }
    }
}

/// The number of deleted keys, and their records when they were asked for.
pub(crate) fn lines(response: &DeleteRangeResponse, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{}\n", response.deleted).as_bytes());
    records(&response.prev_kvs, Parts::Both, out);
}

/// A deletion's answer as JSON.
pub(crate) fn document(response: &DeleteRangeResponse) -> Value {
    json!({
        "header": json::header(response.header.as_ref()),
        "deleted": response.deleted,
        "prev_kvs": json::key_values(&response.prev_kvs),
    })
}
