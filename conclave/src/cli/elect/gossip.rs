//! Following who leads, by gossip.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli::http::Http;
use crate::cli::output::{self, Format};
use crate::failure::{Failure, Result};

/// Prints who leads, and then each change, until the agent ends.
pub(super) async fn follow(http: &Http, group: &str, format: Format) -> Result {
    let mut lines = http.lines_of("elections/observe", &json!({ "group": group })).await?;
    while let Some(line) = lines.next().await? {
        match (line["event"].as_str(), format) {
            (Some("leader"), Format::Json) => output::json(&json!({ "leader": line["leader"] }))?,
            (Some("leader"), Format::Plain) => output::line(sentence(&line["leader"]))?,
            (Some("warning"), _) => {
                eprintln!("conclave: {}", line["text"].as_str().unwrap_or_default());
            }
            _ => {}
        }
    }
    Err(Failure::new("the agent has ended, or takes no part in the group any more"))
}

/// Lets other agents decide.
pub(super) async fn change(http: &Http, group: &str, electors: &[String]) -> Result {
    http.post("elections/electors", &json!({ "group": group, "electors": electors })).await?;
    let electors: BTreeSet<&str> = electors.iter().map(String::as_str).collect();
    let electors: Vec<&str> = electors.into_iter().collect();
    output::line(format!("from now on these decide in {group}: {}", electors.join(", ")))
}

fn sentence(leader: &Value) -> String {
    let Some(name) = leader["name"].as_str() else { return "nobody leads".to_owned() };
    let name = name.escape_debug();
    match leader["epoch"].as_u64() {
        Some(epoch) => format!("{name} leads: fence {epoch}"),
        None => format!("{name} leads"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_line_whatever_an_agent_is_called() {
        assert_eq!(sentence(&Value::Null), "nobody leads");
        assert_eq!(sentence(&json!({ "name": "a\nb", "epoch": 7 })), "a\\nb leads: fence 7");
        assert_eq!(sentence(&json!({ "name": "a", "epoch": null })), "a leads");
    }
}
