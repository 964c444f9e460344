//! `conclave member list`.

use clap::Args;

use super::rows;
use crate::cli::output::Output;
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Print the members of the consensus group.
///
/// Example:
///
///   conclave member list -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct List {
    /// As the asked server knows them: works without a leader.
    #[arg(long)]
    serializable: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl List {
    pub(super) fn run(&self) -> Result {
        let client = self.target.client()?;
        let response = block_on(async { Ok(client.member_list(!self.serializable).await?) })?;
        rows::print(self.output.format, response.header.as_ref(), &response.members, "")
    }
}
