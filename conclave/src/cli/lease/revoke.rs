//! `conclave lease revoke`.

use clap::Args;
use serde_json::json;

use super::lease_id;
use crate::cli::json;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// End a lease, and delete its keys.
///
/// Example:
///
///   conclave lease revoke 32695410dcc0ca06
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Revoke {
    /// The lease, in hexadecimal.
    #[arg(value_parser = lease_id)]
    id: i64,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Revoke {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        let response = block_on(async { Ok(client.lease_revoke(self.id).await?) })?;
        match self.output.format {
            Format::Json => {
                output::json(&json!({ "header": json::header(response.header.as_ref()) }))
            }
            Format::Plain => output::line(format!("lease {:016x} revoked", self.id)),
        }
    }
}
