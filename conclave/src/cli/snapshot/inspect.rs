//! `conclave snapshot inspect`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use storage::backup::{Stamp, Survey, survey};

use crate::cli::output::{self, Format, Output};
use crate::cli::recover;
use crate::cli::table::size;
use crate::failure::{Failure, Result};

/// Bytes read at once.
const BUFFER: usize = 256 << 10;

/// Read a backup whole, verify it, and print what is in it. Exits with 1 when a byte of it is not
/// what was written.
///
/// The hash is the one that `etcdctl endpoint hashkv` gives at that revision.
///
/// Examples:
///
///   conclave snapshot inspect backup.snapshot
///   conclave snapshot inspect backup.snapshot -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Inspect {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result {
        let shown = self.file.display();
        let file = File::open(&self.file)
            .map_err(|error| Failure::new(format!("cannot open {shown}: {error}")))?;
        let survey = survey(BufReader::with_capacity(BUFFER, file))
            .map_err(|error| Failure::new(format!("{shown}: {error}")))?;
        match self.output.format {
            Format::Json => output::json(&document(&survey)),
            Format::Plain => output::bytes(render(&survey).as_bytes()),
        }
    }
}

fn render(survey: &Survey) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<18}{value}");
    };
    let header = &survey.header;
    let never = |revision: i64| if revision < 0 { "never".into() } else { revision.to_string() };
    line("taken at", Stamp::of_ms(header.origin.taken_at_ms).to_string());
    line("cluster", format!("{:016x}", header.origin.identity.cluster.0));
    line("member", format!("{:016x}", header.origin.identity.node.0));
    line("revision", survey.revision.to_string());
    line("compacted at", never(survey.compact_revision));
    line("log position", header.applied.to_string());
    line("keys", survey.keys.to_string());
    line("records", survey.records.to_string());
    line("leases", survey.leases.to_string());
    line("hash", survey.hash.hash.to_string());
    line("size", format!("{} ({} bytes)", size(header.length), header.length));
    for (at, recovery) in &survey.recoveries {
        line("recovered", recover::words(*at, recovery));
    }
    for member in &survey.members {
        let urls = member.peer_urls.join(",");
        line("member of it", format!("{:016x} {} {urls}", member.id.0, member.name));
    }
    text
}

fn document(survey: &Survey) -> Value {
    let header = &survey.header;
    let members = survey.members.iter().map(|member| {
        json!({
            "id": member.id.0,
            "name": member.name,
            "peer_urls": member.peer_urls,
            "client_urls": member.client_urls,
        })
    });
    json!({
        "taken_at": Stamp::of_ms(header.origin.taken_at_ms).to_string(),
        "cluster_id": header.origin.identity.cluster.0,
        "member_id": header.origin.identity.node.0,
        "revision": survey.revision,
        "compact_revision": survey.compact_revision,
        "raft_term": header.applied.term.0,
        "raft_index": header.applied.index.0,
        "keys": survey.keys,
        "records": survey.records,
        "leases": survey.leases,
        "hash": survey.hash.hash,
        "bytes": header.length,
        "recoveries": survey.recoveries.iter().map(recover::document).collect::<Value>(),
        "members": members.collect::<Value>(),
    })
}
