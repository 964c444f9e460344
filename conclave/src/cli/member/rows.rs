//! Members as lines and as JSON.

use client::etcdserverpb::{Member as Row, ResponseHeader};
use serde_json::{Value, json};

use crate::cli::json;
use crate::cli::output::{self, Format};
use crate::cli::table::table;
use crate::failure::Result;

/// Prints the members, after a line for people that says what was done.
pub(super) fn print(
    format: Format,
    header: Option<&ResponseHeader>,
    members: &[Row],
    done: &str,
) -> Result {
    match format {
        Format::Json => output::json(&document(header, members)),
        Format::Plain => {
            let done = if done.is_empty() { String::new() } else { format!("{done}\n\n") };
            output::bytes(format!("{done}{}", render(members)).as_bytes())
        }
    }
}

/// A table of members.
pub(super) fn render(members: &[Row]) -> String {
    let headings = ["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "LEARNER"];
    let rows: Vec<_> = members.iter().map(cells).collect();
    table(&headings, &rows)
}

fn cells(member: &Row) -> Vec<String> {
    // A member tells its name when it starts.
    let status = if member.name.is_empty() { "unstarted" } else { "started" };
    vec![
        format!("{:016x}", member.id),
        status.to_owned(),
        if member.name.is_empty() { "-".to_owned() } else { member.name.clone() },
        member.peer_ur_ls.join(","),
        member.client_ur_ls.join(","),
        if member.is_learner { "yes" } else { "no" }.to_owned(),
    ]
}

/// One member.
pub(super) fn object(member: &Row) -> Value {
    json!({
        "id": member.id,
        "name": member.name,
        "peer_urls": member.peer_ur_ls,
        "client_urls": member.client_ur_ls,
        "is_learner": member.is_learner,
    })
}

/// The members behind a header.
pub(super) fn document(header: Option<&ResponseHeader>, members: &[Row]) -> Value {
    json!({
        "header": json::header(header),
        "members": members.iter().map(object).collect::<Vec<_>>(),
    })
}
