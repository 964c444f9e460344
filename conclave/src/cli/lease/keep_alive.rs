//! `conclave lease keep-alive`.

use clap::Args;
use serde_json::json;

use super::lease_id;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Renew a lease until stopped, or until it is gone, whichever servers come and go.
///
/// Examples:
///
///   conclave lease keep-alive 32695410dcc0ca06
///   conclave lease keep-alive 32695410dcc0ca06 --once
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct KeepAlive {
    /// The lease, in hexadecimal.
    #[arg(value_parser = lease_id)]
    id: i64,
    /// Renew it once, and stop.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl KeepAlive {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        block_on(async {
            if self.once {
                return self.print(client.lease_renew(self.id).await?);
            }
            let mut kept = client.lease_keep_alive(self.id).await?;
            self.print(kept.first_ttl())?;
            loop {
                self.print(kept.renewed().await?)?;
            }
        })
    }

    fn print(&self, ttl: i64) -> Result {
        match self.output.format {
            Format::Json => output::json(&json!({ "id": self.id, "ttl": ttl })),
            Format::Plain => {
                output::line(format!("lease {:016x} keepalived with TTL({ttl})", self.id))
            }
        }
    }
}
