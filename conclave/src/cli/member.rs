//! `conclave member`: the members of the consensus group.

use clap::{Args, Subcommand};
use client::etcdserverpb::{Member as Row, MemberListResponse};
use serde_json::{Value, json};

use super::json;
use super::output::{self, Format, Output};
use super::table::table;
use super::target::{Target, block_on};
use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    List(List),
}

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

impl Member {
    pub(crate) fn run(self) -> Result {
        match self {
            Member::List(list) => list.run(),
        }
    }
}

impl List {
    fn run(&self) -> Result {
        let client = self.target.client()?;
        let response = block_on(async { Ok(client.member_list(!self.serializable).await?) })?;
        match self.output.format {
            Format::Json => output::json(&document(&response)),
            Format::Plain => {
                let headings = ["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "LEARNER"];
                let rows: Vec<_> = response.members.iter().map(cells).collect();
                output::bytes(table(&headings, &rows).as_bytes())
            }
        }
    }
}

fn cells(member: &Row) -> Vec<String> {
    // A member tells its name when it starts.
    let status = if member.name.is_empty() { "unstarted" } else { "started" };
    vec![
        format!("{:016x}", member.id),
        status.to_owned(),
        member.name.clone(),
        member.peer_ur_ls.join(","),
        member.client_ur_ls.join(","),
        if member.is_learner { "yes" } else { "no" }.to_owned(),
    ]
}

fn document(response: &MemberListResponse) -> Value {
    let member = |member: &Row| {
        json!({
            "id": member.id,
            "name": member.name,
            "peer_urls": member.peer_ur_ls,
            "client_urls": member.client_ur_ls,
            "is_learner": member.is_learner,
        })
    };
    json!({
        "header": json::header(response.header.as_ref()),
        "members": response.members.iter().map(member).collect::<Vec<_>>(),
    })
}
