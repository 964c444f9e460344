//! `conclave lease timetolive`.

use clap::Args;
use client::etcdserverpb::LeaseTimeToLiveResponse;
use serde_json::{Value, json};

use super::lease_id;
use crate::cli::json;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Print what a lease has left, in seconds.
///
/// Example:
///
///   conclave lease timetolive 32695410dcc0ca06 --keys
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TimeToLive {
    /// The lease, in hexadecimal.
    #[arg(value_parser = lease_id)]
    id: i64,
    /// Print its keys, too.
    #[arg(long)]
    keys: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl TimeToLive {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        let lease = block_on(async { Ok(client.lease_time_to_live(self.id, self.keys).await?) })?;
        match self.output.format {
            Format::Json => output::json(&document(&lease)),
            Format::Plain => output::bytes(&self.sentence(&lease)),
        }
    }

    fn sentence(&self, lease: &LeaseTimeToLiveResponse) -> Vec<u8> {
        let id = self.id;
        if lease.ttl < 0 {
            return format!("lease {id:016x} already expired\n").into_bytes();
        }
        let (granted, left) = (lease.granted_ttl, lease.ttl);
        let mut out = format!("lease {id:016x} granted with TTL({granted}s), remaining({left}s)")
            .into_bytes();
        if self.keys {
            out.extend_from_slice(b", attached keys([");
            out.extend_from_slice(&lease.keys.join(&b' '));
            out.extend_from_slice(b"])");
        }
        out.push(b'\n');
        out
    }
}

fn document(lease: &LeaseTimeToLiveResponse) -> Value {
    json!({
        "header": json::header(lease.header.as_ref()),
        "id": lease.id,
        "ttl": lease.ttl,
        "granted_ttl": lease.granted_ttl,
        "keys": lease.keys.iter().map(|key| json::base64(key)).collect::<Vec<_>>(),
    })
}
