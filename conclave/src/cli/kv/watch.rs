//! `conclave kv watch`.

use clap::Args;
use client::etcdserverpb::{WatchCreateRequest, WatchResponse};
use client::mvccpb::event::EventType;
use serde_json::{Value, json};

use super::interval::Interval;
use super::print::{Parts, record};
use crate::cli::json;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Print every change of a key, or of an interval of keys, until stopped. A lost connection is
/// taken up again without gap or repeat.
///
/// Examples:
///
///   conclave kv watch greeting
///   conclave kv watch config/ --prefix --rev 7
///   conclave kv watch --prefix '' -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Watch {
    #[command(flatten)]
    interval: Interval,
    /// Start with the changes of this revision instead of the next one.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "REVISION")]
    rev: i64,
    /// Print what the key was before, too.
    #[arg(long)]
    prev_kv: bool,
    /// Also print, now and then, how far the watch has come.
    #[arg(long)]
    progress_notify: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Watch {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        block_on(async {
            let mut watcher = client.watch(self.request()).await?;
            loop {
                let response = watcher.next().await?;
                match self.output.format {
                    Format::Json => output::json(&document(&response))?,
                    Format::Plain => output::bytes(&self.lines(&response))?,
                }
            }
        })
    }

    fn request(&self) -> WatchCreateRequest {
        let (key, range_end) = self.interval.ends();
        WatchCreateRequest {
            key,
            range_end,
            start_revision: self.rev,
            progress_notify: self.progress_notify,
            prev_kv: self.prev_kv,
            ..WatchCreateRequest::default()
        }
    }

    fn lines(&self, response: &WatchResponse) -> Vec<u8> {
        let mut out = Vec::new();
        if response.events.is_empty() {
            let revision = response.header.as_ref().map_or(0, |header| header.revision);
            out.extend_from_slice(format!("progress notify: {revision}\n").as_bytes());
        }
        for event in &response.events {
            out.extend_from_slice(match event.r#type() {
                EventType::Put => b"PUT\n",
                EventType::Delete => b"DELETE\n",
            });
            for kv in event.prev_kv.iter().chain(&event.kv) {
                record(kv, Parts::Both, &mut out);
            }
        }
        out
    }
}

fn document(response: &WatchResponse) -> Value {
    json!({
        "header": json::header(response.header.as_ref()),
        "events": response.events.iter().map(json::event).collect::<Value>(),
    })
}
