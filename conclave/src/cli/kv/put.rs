//! `conclave kv put`.

use std::ffi::OsString;
use std::io::Read as _;

use bytes::Bytes;
use clap::Args;
use client::etcdserverpb::{PutRequest, PutResponse};
use serde_json::{Value, json};

use super::interval::to_bytes;
use super::print::{Parts, record};
use crate::cli::json;
use crate::cli::lease::lease_id;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::{Failure, Result};

/// Set a key to a value. Without a value, or for the value -, it is read from standard input.
///
/// Examples:
///
///   conclave kv put greeting hello
///   conclave kv put config/app - < app.toml
///   conclave kv put session/7 alive --lease 32695410dcc0ca06
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Put {
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// What is written, also inside a transaction.
#[derive(Clone, Debug, Args)]
pub(crate) struct Write {
    /// The key.
    key: OsString,
    /// The value; - reads it from standard input.
    value: Option<OsString>,
    /// The lease that the key ends with, in hexadecimal.
    #[arg(long, value_parser = lease_id, default_value = "0", hide_default_value = true)]
    #[arg(value_name = "ID")]
    lease: i64,
    /// Print what the key was before.
    #[arg(long)]
    prev_kv: bool,
    /// Keep the value that the key has.
    #[arg(long, conflicts_with = "value")]
    ignore_value: bool,
    /// Keep the lease that the key has.
    #[arg(long, conflicts_with = "lease")]
    ignore_lease: bool,
}

impl Write {
    /// The request, with `missing` called for a value that is not among the arguments.
    pub(crate) fn request(&self, missing: impl FnOnce() -> Result<Bytes>) -> Result<PutRequest> {
        let value = match &self.value {
            _ if self.ignore_value => Bytes::new(),
            Some(value) if value != "-" => to_bytes(value),
            Some(_) | None => missing()?,
        };
        Ok(PutRequest {
            key: to_bytes(&self.key),
            value,
            lease: self.lease,
            prev_kv: self.prev_kv,
            ignore_value: self.ignore_value,
            ignore_lease: self.ignore_lease,
        })
    }
}

impl Put {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        let request = self.write.request(read_stdin)?;
        let response = block_on(async { Ok(client.put_with(request).await?) })?;
        match self.output.format {
            Format::Json => output::json(&document(&response)),
            Format::Plain => {
                let mut out = Vec::new();
                lines(&response, &mut out);
                output::bytes(&out)
            }
        }
    }
}

/// `OK`, and the former record when there is one.
pub(crate) fn lines(response: &PutResponse, out: &mut Vec<u8>) {
    out.extend_from_slice(b"OK\n");
    if let Some(kv) = &response.prev_kv {
        record(kv, Parts::Both, out);
    }
}

/// A put's answer as JSON.
pub(crate) fn document(response: &PutResponse) -> Value {
    let mut value = json!({ "header": json::header(response.header.as_ref()) });
    if let Some(kv) = &response.prev_kv {
        value["prev_kv"] = json::key_value(kv);
    }
    value
}

fn read_stdin() -> Result<Bytes> {
    let mut value = Vec::new();
    match std::io::stdin().lock().read_to_end(&mut value) {
        Ok(_) => Ok(Bytes::from(value)),
        Err(error) => Err(Failure::new(format!("cannot read the value: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Parsed {
        #[command(flatten)]
        write: Write,
    }

    fn request(arguments: &[&str]) -> PutRequest {
        let parsed = Parsed::try_parse_from(arguments).unwrap();
        parsed.write.request(|| Ok(Bytes::from_static(b"from stdin"))).unwrap()
    }

    #[test]
    fn the_value_comes_from_the_arguments_or_from_stdin() {
        assert_eq!(&request(&["k", "v"]).value[..], b"v");
        assert_eq!(&request(&["k", ""]).value[..], b"");
        assert_eq!(&request(&["k", "-"]).value[..], b"from stdin");
        assert_eq!(&request(&["k"]).value[..], b"from stdin");
        assert_eq!(&request(&["k", "--ignore-value"]).value[..], b"");
    }

    #[test]
    fn leases_are_hexadecimal() {
        assert_eq!(request(&["k", "v", "--lease", "ff"]).lease, 255);
        assert!(Parsed::try_parse_from(["k", "v", "--lease", "xyz"]).is_err());
    }
}
