//! `conclave member move-leader`.

use clap::Args;
use client::Client;
use serde_json::json;

use super::find;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::{Failure, Result};

/// Hand leadership to another voter.
///
/// Example:
///
///   conclave member move-leader n2
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct MoveLeader {
    /// Who shall lead: a name, an id in hexadecimal, or a peer address.
    member: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl MoveLeader {
    pub(super) fn run(&self) -> Result {
        let (before, id) = block_on(async {
            let members = self.target.client()?.member_list(true).await?.members;
            let id = find(&members, &self.member)?;
            // Only the leader takes the wish, and it need not be among the endpoints given.
            let mut endpoints = self.target.endpoints.clone();
            endpoints.extend(members.into_iter().flat_map(|member| member.client_ur_ls));
            let (before, leader) = self.leader(endpoints).await?;
            leader.move_leader(id).await?;
            Ok((before, id))
        })?;
        match self.output.format {
            Format::Json => output::json(&json!({ "from": before, "to": id })),
            Format::Plain => {
                output::line(format!("leadership went from {before:016x} to {id:016x}"))
            }
        }
    }

    /// The id of the leader, and a client that talks to it alone.
    async fn leader(&self, endpoints: Vec<String>) -> Result<(u64, Client)> {
        for one in Client::new(self.target.options(endpoints))?.each() {
            if let Ok(status) = one.status().await
                && let Some(header) = &status.header
                && header.member_id == status.leader
            {
                return Ok((status.leader, one));
            }
        }
        Err(Failure::new("no member that could be asked leads; `conclave status` tells more"))
    }
}
