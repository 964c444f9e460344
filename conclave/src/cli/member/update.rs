//! `conclave member update`.

use clap::Args;

use super::{find, peer_url, rows};
use crate::cli::output::Output;
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Change where a member is reached by the others. Then start it there: its data directory goes
/// with it.
///
/// Example:
///
///   conclave member update n3 http://10.0.0.33:2380
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Update {
    /// Whose: a name, an id in hexadecimal, or a peer address.
    member: String,
    /// Where it will be reached.
    #[arg(required = true, value_parser = peer_url, value_name = "PEER-URL")]
    urls: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Update {
    pub(super) fn run(&self) -> Result {
        let client = self.target.client()?;
        let (id, response) = block_on(async {
            let id = find(&client.member_list(true).await?.members, &self.member)?;
            Ok((id, client.member_update(id, self.urls.clone()).await?))
        })?;
        let done = format!("member {id:016x} is reached at {}", self.urls.join(", "));
        rows::print(self.output.format, response.header.as_ref(), &response.members, &done)
    }
}
