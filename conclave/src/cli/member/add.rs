//! `conclave member add`.

use clap::Args;

use super::invitation::{self, Invited};
use super::peer_url;
use crate::cli::output::Output;
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Add a member, and print the command that starts it.
///
/// It receives the log without a vote at first, and becomes a voter by itself when it has caught
/// up: an address that leads nowhere does no harm.
///
/// Examples:
///
///   conclave member add http://10.0.0.4:2380 --name n4
///   conclave member add http://10.0.0.5:2380 --learner
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Add {
    /// Where the other members will reach it.
    #[arg(required = true, value_parser = peer_url, value_name = "PEER-URL")]
    urls: Vec<String>,
    /// Its name in the command that is printed.
    #[arg(long, default_value = "new", value_name = "NAME")]
    name: String,
    /// It stays without a vote until it is promoted.
    #[arg(long)]
    learner: bool,
    /// The token of the cluster, for the command that is printed.
    #[arg(long, value_name = "TEXT")]
    cluster_token: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Add {
    pub(super) fn run(&self) -> Result {
        let client = self.target.client()?;
        let added = client.member_add(self.urls.clone(), self.learner);
        let response = block_on(async { Ok(added.await?) })?;
        let then =
            if self.learner { "stays without a vote" } else { "votes once it has caught up" };
        let invited = Invited { name: &self.name, token: self.cluster_token.as_deref() };
        invitation::print(self.output.format, &response, invited, |member| {
            format!("member {:016x} added; it {then}", member.id)
        })
    }
}
