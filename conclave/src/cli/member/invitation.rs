//! What is printed after a member was added: the command that starts it.

use std::path::Path;

use client::etcdserverpb::{Member as Row, MemberAddResponse};
use serde_json::json;
use server::InitialMember;

use super::rows;
use crate::cli::output::{self, Format};
use crate::cli::start_line::{StartLine, bare, taken};
use crate::failure::{Failure, Result};

/// How the new member is called, and whom it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Invited<'a> {
    pub(super) name: &'a str,
    pub(super) token: Option<&'a str>,
}

/// Prints what was done and how the new member is started.
pub(super) fn print(
    format: Format,
    response: &MemberAddResponse,
    invited: Invited<'_>,
    done: impl FnOnce(&Row) -> String,
) -> Result {
    let Some(member) = &response.member else {
        return Err(Failure::new("the server did not say which member it has added"));
    };
    let start = start(member, &response.members, invited);
    match format {
        Format::Json => {
            let mut document = rows::document(response.header.as_ref(), &response.members);
            document["member"] = rows::object(member);
            document["start"] = json!(start);
            output::json(&document)
        }
        Format::Plain => {
            let done = done(member);
            let token = match invited.token {
                Some(_) => "",
                None => "\nAdd --cluster-token if the cluster was given one of its own.\n",
            };
            output::bytes(format!("{done}\n\nStart it with:\n\n  {start}\n{token}").as_bytes())
        }
    }
}

/// The command that starts the new member: it names those to ask, and itself.
fn start(member: &Row, members: &[Row], Invited { name, token }: Invited<'_>) -> String {
    let address =
        |row: &Row| bare(row.peer_ur_ls.first().map(String::as_str).unwrap_or_default()).to_owned();
    let own = address(member);
    let others = members.iter().filter(|row| row.id != member.id && !row.name.is_empty());
    let others = others.filter(|row| address(row) != own && row.name != name);
    let mut cluster: Vec<InitialMember> =
        others.map(|row| InitialMember { name: row.name.clone(), peer: address(row) }).collect();
    cluster.push(InitialMember { name: name.to_owned(), peer: own });
    let (data_dir, taken) = (Path::new(name), taken(members));
    let joins = true;
    StartLine { name, data_dir, cluster: &cluster, taken: &taken, joins, token }.render()
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
        let text = start(&new, &members, Invited { name: "c", token: None });
        assert!(text.contains("--initial-cluster a=h:1,c=h:3 --initial-cluster-state existing"));
        // The port below is that of a member which has not started.
        assert!(text.contains("--data-dir c --listen-peer h:3 --listen-client h:4 "), "{text}");
    }
}
