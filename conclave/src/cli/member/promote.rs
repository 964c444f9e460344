//! `conclave member promote`.

use clap::Args;

use super::{find_one, rows};
use crate::cli::output::Output;
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Make a learner a voter. Refused while its log is far behind the leader's.
///
/// Example:
///
///   conclave member promote n3
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Promote {
    /// Whom: a name, an id in hexadecimal, or a peer address.
    member: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Promote {
    pub(super) fn run(&self) -> Result {
        let client = self.target.client()?;
        let (id, response) = block_on(async {
            let members = client.member_list(true).await?.members;
            let id = find_one(&members, &self.member, true)?;
            Ok((id, client.member_promote(id).await?))
        })?;
        let done = format!("member {:016x} is a voter", id);
        rows::print(self.output.format, response.header.as_ref(), &response.members, &done)
    }
}
