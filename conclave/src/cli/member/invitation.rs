//! What is printed after a member was added: the command that starts it.

use client::etcdserverpb::{Member as Row, MemberAddResponse};
use serde_json::json;

use super::rows;
use crate::cli::output::{self, Format};
use crate::failure::{Failure, Result};

/// Prints what was done and how the new member is started.
pub(super) fn print(
    format: Format,
    response: &MemberAddResponse,
    name: &str,
    done: impl FnOnce(&Row) -> String,
) -> Result {
    let Some(member) = &response.member else {
        return Err(Failure::new("the server did not say which member it has added"));
    };
    let start = start(member, &response.members, name);
    match format {
        Format::Json => {
            let mut document = rows::document(response.header.as_ref(), &response.members);
            document["member"] = rows::object(member);
            document["start"] = json!(start);
            output::json(&document)
        }
        Format::Plain => {
            let done = done(member);
            output::bytes(format!("{done}\n\nStart it with:\n\n  {start}\n").as_bytes())
        }
    }
}

/// The command that starts the new member: it names those to ask, and itself.
fn start(member: &Row, members: &[Row], name: &str) -> String {
    let address = |row: &Row| {
        let url = row.peer_ur_ls.first().map(String::as_str).unwrap_or_default();
        url.strip_prefix("http://").unwrap_or(url).to_owned()
    };
    let own = address(member);
    let others = members.iter().filter(|row| row.id != member.id && !row.name.is_empty());
    let others = others.filter(|row| address(row) != own);
    let mut cluster: Vec<String> =
        others.map(|row| format!("{}={}", row.name, address(row))).collect();
    cluster.push(format!("{name}={own}"));
    format!(
        "conclave agent --server --name {name} --data-dir {name} --listen-peer {own} \\\n    \
         --initial-cluster {} --initial-cluster-state existing",
        cluster.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_those_who_have_started_and_the_new_one() {
        let row = |id, name: &str, url: &str| Row {
            id,
            name: name.into(),
            peer_ur_ls: vec![url.into()],
            ..Row::default()
        };
        let new = row(3, "", "http://h:3");
        let members = [row(1, "a", "http://h:1"), row(2, "", "http://h:2"), new.clone()];
        let text = start(&new, &members, "c");
        assert!(text.contains("--initial-cluster a=h:1,c=h:3 --initial-cluster-state existing"));
        assert!(text.contains("--name c --data-dir c --listen-peer h:3 "));
    }
}
