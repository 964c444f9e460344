//! `conclave lease list`.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use crate::cli::json;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Print the ids of all leases, in hexadecimal.
///
/// Example:
///
///   conclave lease list
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct List {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl List {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        let response = block_on(async { Ok(client.lease_list().await?) })?;
        let ids = response.leases.iter().map(|lease| lease.id);
        match self.output.format {
            Format::Json => output::json(&json!({
                "header": json::header(response.header.as_ref()),
                "leases": ids.map(|id| json!({ "id": id })).collect::<Vec<_>>(),
            })),
            Format::Plain => {
                let mut text = format!("found {} leases\n", response.leases.len());
                for id in ids {
                    writeln!(text, "{id:016x}").expect("a string takes any text");
                }
                output::bytes(text.as_bytes())
            }
        }
    }
}
