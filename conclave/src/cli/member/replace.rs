//! `conclave member replace`.

use clap::Args;

use super::invitation::{self, Invited};
use super::{find, peer_url};
use crate::cli::output::Output;
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Put a new member in the place of another, such as one whose machine is lost.
///
/// The new one receives the log without a vote at first. When it has caught up it becomes a voter,
/// and in the same step the old one is removed for ever; until then the old one goes on if it can.
/// The new one may have the old one's address.
///
/// Examples:
///
///   conclave member replace n3 http://10.0.0.9:2380 --name n9
///   conclave member replace 8e9e05c52164694d http://10.0.0.3:2380
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Replace {
    /// Who goes: a name, an id in hexadecimal, or a peer address.
    #[arg(value_name = "OLD")]
    old: String,
    /// Where the other members will reach the new one.
    #[arg(value_parser = peer_url, value_name = "PEER-URL")]
    url: String,
    /// Its name in the command that is printed.
    #[arg(long, default_value = "new", value_name = "NAME")]
    name: String,
    /// The token of the cluster, for the command that is printed.
    #[arg(long, value_name = "TEXT")]
    cluster_token: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Replace {
    pub(super) fn run(&self) -> Result {
        let client = self.target.client()?;
        let (old, response) = block_on(async {
            let old = find(&client.member_list(true).await?.members, &self.old)?;
            Ok((old, client.member_replace(old, vec![self.url.clone()]).await?))
        })?;
        let invited = Invited { name: &self.name, token: self.cluster_token.as_deref() };
        invitation::print(self.output.format, &response, invited, |member| {
            format!("member {:016x} takes the place of {old:016x} once it has caught up", member.id)
        })
    }
}
