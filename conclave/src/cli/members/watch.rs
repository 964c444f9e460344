//! `conclave members --watch`.

use serde_json::Value;

use super::{on_a_line, row, text};
use crate::cli::http::Http;
use crate::cli::output::{self, Format};
use crate::cli::table::table;
use crate::failure::{Failure, Result};

/// Prints who is there, and then what happens, until the agent ends.
pub(super) async fn follow(http: &Http, format: Format) -> Result {
    let mut lines = http.lines("events").await?;
    while let Some(line) = lines.next().await? {
        match format {
            Format::Json => output::json(&line)?,
            Format::Plain => output::bytes(told(&line).as_bytes())?,
        }
    }
    Err(Failure::new("the agent has ended"))
}

/// A line for people.
fn told(line: &Value) -> String {
    let event = text(&line["event"]);
    match event {
        "members" => {
            let members = line["members"].as_array();
            let rows: Vec<_> = members.into_iter().flatten().map(row).collect();
            table(&["NAME", "ADDRESS", "STATUS", "TAGS"], &rows)
        }
        "user" | "query" => {
            let payload = line.get("payload").unwrap_or(&line["payload_base64"]);
            format!("{event}  {}  {}\n", on_a_line(text(&line["name"])), on_a_line(text(payload)))
        }
        _ => match line.get("member") {
            Some(member) => format!("{event}  {}\n", row(member).join("  ").trim_end()),
            None => {
                let fault = line["fault"].as_str().map(|fault| format!("  {fault}"));
                format!("{event}  {}{}\n", text(&line["name"]), fault.unwrap_or_default())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_a_line() {
        let member = json!({ "name": "n", "address": "h:1", "status": "alive", "tags": {} });
        let line = json!({ "event": "joined", "member": member });
        assert_eq!(told(&line), "joined  n  h:1  alive\n");
        let line = json!({ "event": "user", "name": "deploy", "payload": "v7" });
        assert_eq!(told(&line), "user  deploy  v7\n");
        let line = json!({ "event": "members", "lost": 0, "members": [member] });
        assert_eq!(told(&line), "NAME  ADDRESS  STATUS  TAGS\nn     h:1      alive\n");
    }
}
