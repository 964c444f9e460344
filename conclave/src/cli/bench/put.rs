//! `conclave bench put`.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use clap::Args;
use client::Client;
use client::etcdserverpb::request_op::Request;
use client::etcdserverpb::{PutRequest, RequestOp, ResponseHeader, TxnRequest};

use super::ledger::{Entry, Ledger, Tag};
use super::load::Load;
use super::report::Report;
use super::worker::{self, Answer};
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::{Failure, Result};

/// Put values that are all different, and measure.
///
/// Examples:
///
///   conclave bench put --clients 64 --duration 10s
///   conclave bench put --sequential --batch 100 --total 10000 --key-space 1000000 --clients 8
///   conclave bench put --endpoints a:2379,b:2379 --duration 60s --ledger writes.txt --tolerate
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Put {
    /// The length of a value in bytes; at least that of the tag that makes it unique.
    #[arg(long, default_value_t = 256, value_name = "BYTES")]
    value_size: usize,
    /// Note every write and every acknowledgement in this file, for `bench verify`.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// How many keys one request puts; more than one are a transaction.
    #[arg(long, default_value_t = 1, value_name = "N", requires = "sequential")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000), conflicts_with = "ledger")]
    batch: u64,
    /// Put the keys of the key space in their order, instead of any.
    #[arg(long)]
    sequential: bool,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// What every put of a run needs.
struct Puts {
    client: Client,
    load: Load,
    run: u64,
    value_size: usize,
    ledger: Option<RefCell<Ledger>>,
    batch: u64,
    sequential: bool,
}

impl Put {
    pub(crate) fn run(&self) -> Result {
        if self.load.key_prefix.contains(char::is_whitespace) {
            return Err(Failure::usage("--key-prefix must not contain white space"));
        }
        let puts = Rc::new(Puts {
            client: self.load.client(&self.target)?,
            load: self.load.clone(),
            run: RandomState::new().hash_one(std::process::id()),
            value_size: self.value_size,
            ledger: self.ledger.as_deref().map(Ledger::open).transpose()?.map(RefCell::new),
            batch: self.batch,
            sequential: self.sequential,
        });
        let send = move |number| {
            let puts = Rc::clone(&puts);
            async move { puts.put(number).await }
        };
        let report = block_on(worker::run(&self.load, "put", send))?;
        print(&report, self.output, self.load.tolerate)
    }
}

impl Puts {
    async fn put(&self, number: u64) -> Answer {
        let first = number * self.batch;
        let puts: Vec<(Tag, PutRequest)> =
            (first..first + self.batch).map(|number| self.one(number)).collect();
        for (tag, put) in &puts {
            self.note(&put.key, |key| Entry::Try { key, tag: *tag })?;
        }
        let header = match self.send(puts.iter().map(|(_, put)| put.clone())).await {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        let revision = header.map_or(0, |header| header.revision);
        for (tag, put) in &puts {
            self.note(&put.key, |key| Entry::Ack { key, tag: *tag, revision })?;
        }
        Ok(Ok(()))
    }

    /// The put with this number among all of the run.
    fn one(&self, number: u64) -> (Tag, PutRequest) {
        let tag = Tag { run: self.run, number };
        let key =
            if self.sequential { self.load.key_in_order(number) } else { self.load.key(number) };
        let value = Bytes::from(tag.value(self.value_size));
        (tag, PutRequest { key, value, ..PutRequest::default() })
    }

    async fn send(
        &self,
        mut puts: impl ExactSizeIterator<Item = PutRequest>,
    ) -> Result<Option<ResponseHeader>, client::Error> {
        if puts.len() == 1
            && let Some(put) = puts.next()
        {
            return Ok(self.client.put_with(put).await?.header);
        }
        let put = |put| RequestOp { request: Some(Request::RequestPut(put)) };
        let txn = TxnRequest { success: puts.map(put).collect(), ..TxnRequest::default() };
        Ok(self.client.txn(txn).await?.header)
    }

    fn note(&self, key: &Bytes, entry: impl FnOnce(String) -> Entry) -> Result {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let key = String::from_utf8_lossy(key).into_owned();
        ledger.borrow_mut().append(&entry(key))
    }
}

/// Prints what a run came to.
pub(crate) fn print(report: &Report, output: Output, gaps: bool) -> Result {
    match output.format {
        Format::Json => output::json(&report.json()),
        Format::Plain => output::bytes(report.text(gaps).as_bytes()),
    }
}
