//! `conclave members`: the pool, as one agent sees it.

mod keys;
mod watch;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::block_on;
use super::http::Http;
use super::output::{self, Format, Output};
use super::table::table;
use crate::failure::{Failure, Result};

/// The most members that are called by their names in a sentence.
const NAMED: usize = 10;

/// Members of the pool, as one agent sees them.
///
/// The pool is everybody who gossips, servers or not; `conclave member` is about the consensus
/// group. A member is alive, suspect (it does not answer, and may object yet), failed (nobody
/// reaches it; it is looked for now and then), or left (it said so, or force-leave did). The agent
/// that is asked is that of --http, which is `conclave dev` or `conclave agent` on this machine.
///
/// Examples:
///
///   conclave members
///   conclave members -o json --http 127.0.0.1:8501
///   conclave members --watch
///   conclave members join 10.0.0.1:7946
///   conclave members event deploy v7
///   conclave members query uptime --node web-1
///   conclave members keys install "$(openssl rand -base64 32)"
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Members {
    #[command(flatten)]
    http: Http,
    #[command(flatten)]
    output: Output,
    /// Go on, and print what changes.
    #[arg(long)]
    watch: bool,
    /// Only those with this status: alive, suspect, failed or left.
    #[arg(long, value_name = "STATUS", value_parser = ["alive", "suspect", "failed", "left"])]
    status: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Join the pool of whoever is there.
    ///
    /// Example: conclave members join 10.0.0.1:7946 10.0.0.2:7946
    Join {
        /// Where somebody of the pool is.
        #[arg(required = true, value_name = "HOST:PORT")]
        places: Vec<String>,
    },
    /// Let the agent leave the pool, and end.
    ///
    /// Example: conclave members leave
    Leave,
    /// Declare that a member has left who cannot say so itself.
    ///
    /// Example: conclave members force-leave web-1
    ForceLeave {
        /// Its name.
        name: String,
        /// Forget it at once.
        #[arg(long)]
        prune: bool,
    },
    /// Change what the agent says of itself. What a server says of itself in its cluster (role,
    /// seat, id, peer …) stays as it is.
    ///
    /// Example: conclave members tags --set zone=b --delete canary
    Tags {
        /// Say this.
        #[arg(long, value_name = "NAME=VALUE")]
        set: Vec<String>,
        /// Say nothing of this any more.
        #[arg(long, value_name = "NAME")]
        delete: Vec<String>,
    },
    /// Let everybody know that something happened.
    ///
    /// Example: conclave members event deploy v7
    Event {
        /// Its name.
        name: String,
        /// What it says.
        #[arg(default_value = "")]
        payload: String,
        /// Listeners may be told of the last one of several alone.
        #[arg(long)]
        coalesce: bool,
    },
    /// Ask everybody, or some, and print the answers. Programs answer: a handler of serf's, or
    /// whoever reads an agent's stream of events and posts to /v1/conclave/respond.
    ///
    /// Example: conclave members query uptime --tag role=web
    Query {
        /// What is asked.
        name: String,
        /// What it says.
        #[arg(default_value = "")]
        payload: String,
        /// Only these members.
        #[arg(long, value_name = "NAME")]
        node: Vec<String>,
        /// Only members with a tag that matches this regular expression.
        #[arg(long, value_name = "NAME=EXPRESSION")]
        tag: Vec<String>,
    },
    /// The pool's keys: install a new one, use it, remove the old one.
    #[command(subcommand)]
    Keys(keys::Keys),
}

impl Members {
    pub(crate) fn run(self) -> Result {
        block_on(async {
            match &self.command {
                None if self.watch => watch::follow(&self.http, self.output.format).await,
                None => self.list().await,
                Some(Command::Keys(keys)) => keys.run(&self.http, self.output.format).await,
                Some(Command::Query { name, payload, node, tag }) => {
                    let question = json!({
                        "name": name, "payload": payload, "nodes": node, "tags": pairs(tag)?,
                    });
                    self.answers(&self.http.post("query", &question).await?)
                }
                Some(command) => {
                    let (name, body) = request(command)?;
                    if let Command::ForceLeave { name, .. } = command {
                        self.look_for(name).await?;
                    }
                    let answer = self.http.post(name, &body).await?;
                    self.done(&answer)
                }
            }
        })
    }

    /// Says so when the agent knows nobody of that name: most often it is misspelt. Others may know
    /// somebody, so they are told all the same.
    async fn look_for(&self, name: &str) -> Result {
        let members = self.http.get("members").await?;
        let known = members.as_array().into_iter().flatten().any(|it| it["name"] == name);
        if !known {
            eprintln!(
                "this agent knows nobody called {}; the others are told all the same",
                on_a_line(name)
            );
        }
        Ok(())
    }

    async fn list(&self) -> Result {
        let members = self.http.get("members").await?;
        let wanted = |member: &&Value| {
            self.status.as_deref().is_none_or(|status| member["status"] == status)
        };
        let members: Vec<&Value> =
            members.as_array().into_iter().flatten().filter(wanted).collect();
        match self.output.format {
            Format::Json => output::json(&json!(members)),
            Format::Plain => {
                let rows: Vec<_> = members.iter().map(|member| row(member)).collect();
                output::bytes(table(&["NAME", "ADDRESS", "STATUS", "TAGS"], &rows).as_bytes())
            }
        }
    }

    fn done(&self, answer: &Value) -> Result {
        if self.output.format == Format::Json {
            return output::json(answer);
        }
        for (place, why) in answer["failed"].as_object().into_iter().flatten() {
            eprintln!("{place}: {}", text(why));
        }
        if answer["told"] == false {
            eprintln!("the agent left before enough others can know of it");
        }
        Ok(())
    }

    fn answers(&self, answer: &Value) -> Result {
        if self.output.format == Format::Json {
            return output::json(answer);
        }
        let answers = answer["answers"].as_array();
        for answer in answers.into_iter().flatten() {
            let payload = answer.get("payload").unwrap_or(&answer["payload_base64"]);
            output::line(format!("{}: {}", text(&answer["from"]), shown(text(payload))))?;
        }
        let arrived = answer["arrived"].as_array();
        let names: Vec<_> =
            arrived.into_iter().flatten().map(|name| on_a_line(text(name))).collect();
        let reached = match names.len() {
            0 => "it reached nobody".to_owned(),
            few @ 1..=NAMED => format!("it reached {few}: {}", names.join(", ")),
            many => format!("it reached {many}"),
        };
        output::line(format!("{reached}; {} answered", answers.map_or(0, Vec::len)))
    }
}

/// The request of a command without an answer to be printed.
fn request(command: &Command) -> Result<(&'static str, Value)> {
    Ok(match command {
        Command::Join { places } => ("join", json!({ "addresses": places })),
        Command::Leave => ("leave", json!({})),
        Command::ForceLeave { name, prune } => {
            ("force-leave", json!({ "node": name, "prune": prune }))
        }
        Command::Tags { set, delete } if set.is_empty() && delete.is_empty() => {
            let text = "say what to change, with --set NAME=VALUE or --delete NAME";
            return Err(Failure::usage(text));
        }
        Command::Tags { set, delete } => ("tags", json!({ "set": pairs(set)?, "delete": delete })),
        Command::Event { name, payload, coalesce } => {
            ("event", json!({ "name": name, "payload": payload, "coalesce": coalesce }))
        }
        Command::Query { .. } | Command::Keys(_) => {
            unreachable!("these print what is answered")
        }
    })
}

fn pairs(texts: &[String]) -> Result<Value> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), Value::from(value)))
    };
    let pairs: Option<serde_json::Map<_, _>> = texts.iter().map(pair).collect();
    let wrong = || Failure::usage("a tag is written NAME=VALUE, such as role=web");
    pairs.map(Value::Object).ok_or_else(wrong)
}

/// A member as a line of the table.
fn row(member: &Value) -> Vec<String> {
    let tags = member["tags"].as_object();
    let tags = tags.into_iter().flatten().map(|(name, value)| format!("{name}={}", text(value)));
    let cell = |name: &str| text(&member[name]).to_owned();
    vec![cell("name"), cell("address"), cell("status"), tags.collect::<Vec<_>>().join(",")]
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What others have sent, on one line.
fn on_a_line(text: &str) -> String {
    let sign = |sign: char| match sign {
        sign if sign.is_control() => sign.escape_default().to_string(),
        sign => sign.to_string(),
    };
    text.chars().map(sign).collect()
}

/// What others have sent, without what would move a terminal's cursor.
fn shown(text: &str) -> String {
    let escape = |sign: char| sign.is_control() && !matches!(sign, '\n' | '\t');
    let signs = text.chars().map(|sign| match sign {
        sign if escape(sign) => sign.escape_default().to_string(),
        sign => sign.to_string(),
    });
    signs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_send_moves_no_cursor() {
        assert_eq!(shown("up 3 days,\n\tgrün"), "up 3 days,\n\tgrün");
        assert_eq!(shown("\u{1b}[2J\r"), "\\u{1b}[2J\\r");
        assert_eq!(on_a_line("grün\nleft\tweb-1\u{1b}"), "grün\\nleft\\tweb-1\\u{1b}");
    }

    #[test]
    fn a_member_is_a_line() {
        let member = json!({
            "name": "web-1", "address": "10.0.0.1:7946", "status": "alive",
            "tags": { "role": "web", "zone": "a" },
        });
        assert_eq!(row(&member), ["web-1", "10.0.0.1:7946", "alive", "role=web,zone=a"]);
    }

    #[test]
    fn tags_are_pairs() {
        let texts = ["a=b=c".to_owned(), "d=".to_owned()];
        assert_eq!(pairs(&texts).unwrap(), json!({ "a": "b=c", "d": "" }));
        assert!(pairs(&["=b".to_owned()]).unwrap_err().text().contains("NAME=VALUE"));
    }
}
