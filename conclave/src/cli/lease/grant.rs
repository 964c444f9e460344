//! `conclave lease grant`.

use clap::Args;
use serde_json::json;

use super::lease_id;
use crate::cli::json;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Create a lease: keys that are put with it are deleted when it ends.
///
/// Examples:
///
///   conclave lease grant 60
///   conclave lease grant 60 --id cafe
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Grant {
    /// Its time to live, in seconds.
    #[arg(allow_negative_numbers = true)]
    ttl: i64,
    /// Its id, in hexadecimal, instead of one that the server chooses.
    #[arg(long, value_parser = lease_id, default_value = "0", hide_default_value = true)]
    id: i64,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Grant {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        let lease = block_on(async { Ok(client.lease_grant(self.ttl, self.id).await?) })?;
        match self.output.format {
            Format::Json => output::json(&json!({
                "header": json::header(lease.header.as_ref()),
                "id": lease.id,
                "ttl": lease.ttl,
            })),
            Format::Plain => {
                output::line(format!("lease {:016x} granted with TTL({}s)", lease.id, lease.ttl))
            }
        }
    }
}
