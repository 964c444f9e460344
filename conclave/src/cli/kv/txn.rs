//! `conclave kv txn`.

use std::io::Read as _;

use clap::Args;
use client::etcdserverpb::response_op::Response;
use client::etcdserverpb::{ResponseOp, TxnResponse};
use serde_json::{Value, json};

use super::print::{Parts, records};
use super::{del, get, put, txn_language};
use crate::cli::json;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::{Failure, Result};

/// Run one of two lists of operations, at one revision, depending on what the store holds.
///
/// The transaction is read from standard input in three parts, each ended by an empty line:
/// comparisons that must all hold, operations to run if they do, operations to run if not.
///
///   comparison   value("key") = "text"        also != < >
///                mod("key") > "0"             also create, version (or ver), lease
///   operation    put KEY VALUE | get KEY … | del KEY …   with the flags of those commands
///
/// Example:
///
///   conclave kv txn <<'END'
///   version("leader") = "0"
///
///   put leader n1
///
///   get leader
///   END
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Txn {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Txn {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        let mut text = String::new();
        if let Err(error) = std::io::stdin().lock().read_to_string(&mut text) {
            return Err(Failure::usage(format!("cannot read the transaction: {error}")));
        }
        let request = txn_language::parse(&text)?;
        let response = block_on(async { Ok(client.txn(request).await?) })?;
        match self.output.format {
            Format::Json => output::json(&document(&response)),
            Format::Plain => output::bytes(&lines(&response)),
        }
    }
}

/// Which side ran, and the answer to each of its operations after an empty line.
fn lines(response: &TxnResponse) -> Vec<u8> {
    let side = if response.succeeded { "SUCCESS\n" } else { "FAILURE\n" };
    let mut out = side.as_bytes().to_vec();
    for op in &response.responses {
        out.push(b'\n');
        match &op.response {
            Some(Response::ResponseRange(range)) => records(&range.kvs, Parts::Both, &mut out),
            Some(Response::ResponsePut(put)) => put::lines(put, &mut out),
            Some(Response::ResponseDeleteRange(del)) => del::lines(del, &mut out),
            Some(Response::ResponseTxn(txn)) => out.extend(lines(txn)),
            None => {}
        }
    }
    out
}

fn document(response: &TxnResponse) -> Value {
    json!({
        "header": json::header(response.header.as_ref()),
        "succeeded": response.succeeded,
        "responses": response.responses.iter().map(operation).collect::<Value>(),
    })
}

fn operation(op: &ResponseOp) -> Value {
    match &op.response {
        Some(Response::ResponseRange(range)) => json!({ "response_range": get::document(range) }),
        Some(Response::ResponsePut(put)) => json!({ "response_put": put::document(put) }),
        Some(Response::ResponseDeleteRange(deleted)) => {
            json!({ "response_delete_range": del::document(deleted) })
        }
        Some(Response::ResponseTxn(txn)) => json!({ "response_txn": document(txn) }),
        None => Value::Null,
    }
}
