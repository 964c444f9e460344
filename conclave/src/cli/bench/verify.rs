//! `conclave bench verify`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use client::Client;
use client::etcdserverpb::request_op::Request;
use client::etcdserverpb::response_op::Response;
use client::etcdserverpb::{RangeRequest, RequestOp, TxnRequest, TxnResponse};
use serde_json::json;

use super::history::{Found, History, Verdict};
use super::ledger::{self, Tag};
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::{Failure, Result};

/// Keys that are read by one request; etcd allows 128 operations in one transaction.
const BATCH: usize = 100;
/// How many lost or wrong keys are printed.
const PRINTED: usize = 20;

/// Check that every acknowledged write in a ledger is still there, or was overwritten by a write
/// whose outcome had been unknown. Exits with 1 and the count if not.
///
/// Example:
///
///   conclave bench verify --ledger writes.txt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Verify {
    /// What `bench put --ledger` has written.
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// The verdicts, and the keys that are not as they must be.
#[derive(Debug, Default)]
struct Tally {
    counts: BTreeMap<Verdict, u64>,
    bad: Vec<(String, Verdict)>,
}

impl Verify {
    pub(crate) fn run(&self) -> Result {
        let mut history = History::default();
        let torn = ledger::read(&self.ledger, |entry| history.add(entry))?;
        let client = self.target.client()?;
        let tally = block_on(check(&client, &history))?;
        self.print(&history, torn, &tally)?;
        let lost = tally.count(Verdict::Lost);
        let wrong = tally.count(Verdict::Wrong) + history.shared_revisions();
        if lost + wrong == 0 {
            return Ok(());
        }
        Err(Failure::new(format!("{lost} keys lost an acknowledged write, {wrong} are wrong")))
    }

    fn print(&self, history: &History, torn: u64, tally: &Tally) -> Result {
        let keys = history.keys().count();
        let acknowledged = history.acknowledged();
        let [kept, later, lost, wrong] =
            [Verdict::Kept, Verdict::Later, Verdict::Lost, Verdict::Wrong].map(|v| tally.count(v));
        let shared = history.shared_revisions();
        if self.output.format == Format::Json {
            return output::json(&json!({
                "acknowledged": acknowledged,
                "keys": keys,
                "kept": kept,
                "later": later,
                "lost": lost,
                "wrong": wrong,
                "shared_revisions": shared,
                "unreadable_lines": torn,
            }));
        }
        output::line(format!(
            "{acknowledged} acknowledged writes to {keys} keys: {kept} kept, {later} overwritten \
             by a write of unknown outcome, {lost} lost, {wrong} wrong"
        ))?;
        if shared > 0 {
            output::line(format!("{shared} writes share the revision of another one"))?;
        }
        if torn > 0 {
            output::line(format!("{torn} lines of the ledger are cut short"))?;
        }
        for (key, verdict) in tally.bad.iter().take(PRINTED) {
            output::line(format!("  {verdict:?}: {key}"))?;
        }
        Ok(())
    }
}

impl Tally {
    fn add(&mut self, key: &str, verdict: Verdict) {
        *self.counts.entry(verdict).or_default() += 1;
        if matches!(verdict, Verdict::Lost | Verdict::Wrong) {
            self.bad.push((key.to_owned(), verdict));
        }
    }

    fn count(&self, verdict: Verdict) -> u64 {
        self.counts.get(&verdict).copied().unwrap_or(0)
    }
}

/// Reads every key, linearizably, and judges it.
async fn check(client: &Client, history: &History) -> Result<Tally> {
    let mut tally = Tally::default();
    let keys: Vec<&str> = history.keys().collect();
    for batch in keys.chunks(BATCH) {
        let response = client.txn(reads(batch)).await?;
        let found = found(response, batch.len())?;
        for (key, found) in batch.iter().zip(found) {
            tally.add(key, history.judge(key, found));
        }
    }
    Ok(tally)
}

/// A transaction that reads each key.
fn reads(keys: &[&str]) -> TxnRequest {
    let read = |key: &&str| {
        let key = Bytes::copy_from_slice(key.as_bytes());
        let range = RangeRequest { key, ..RangeRequest::default() };
        RequestOp { request: Some(Request::RequestRange(range)) }
    };
    TxnRequest { success: keys.iter().map(read).collect(), ..TxnRequest::default() }
}

/// What the store holds for each key of a batch.
fn found(response: TxnResponse, expected: usize) -> Result<Vec<Option<Found>>> {
    let wrong = || Failure::new("the server's answer does not fit the request");
    if response.responses.len() != expected {
        return Err(wrong());
    }
    let one = |response: Option<Response>| match response {
        Some(Response::ResponseRange(range)) => Ok(range
            .kvs
            .first()
            .map(|kv| Found { mod_revision: kv.mod_revision, tag: Tag::of_value(&kv.value) })),
        Some(
            Response::ResponsePut(_) | Response::ResponseDeleteRange(_) | Response::ResponseTxn(_),
        )
        | None => Err(wrong()),
    };
    response.responses.into_iter().map(|op| one(op.response)).collect()
}
