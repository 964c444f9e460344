//! `conclave kv get`.

use clap::{Args, ValueEnum};
use client::etcdserverpb::range_request::{SortOrder, SortTarget};
use client::etcdserverpb::{RangeRequest, RangeResponse};
use serde_json::{Value, json};

use super::interval::Interval;
use super::print::{Parts, records};
use crate::cli::json;
use crate::cli::output::{self, Format, Output};
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Print a key, or an interval of keys: a line with the key and one with the value for each.
///
/// Examples:
///
///   conclave kv get greeting
///   conclave kv get config/ --prefix --limit 10
///   conclave kv get greeting --rev 7 -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Get {
    #[command(flatten)]
    query: Query,
    /// Print the values alone.
    #[arg(long, conflicts_with_all = ["keys_only", "count_only"])]
    print_value_only: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// What is read, also inside a transaction.
#[derive(Clone, Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    interval: Interval,
    /// As the store was at this revision.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "REVISION")]
    rev: i64,
    /// At most this many keys.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N")]
    limit: i64,
    /// What to sort by.
    #[arg(long, value_enum, value_name = "WHAT")]
    sort_by: Option<SortBy>,
    /// Which way to sort.
    #[arg(long, value_enum)]
    order: Option<Order>,
    /// Keys without their values.
    #[arg(long)]
    keys_only: bool,
    /// The number of keys, and nothing else.
    #[arg(long, conflicts_with = "keys_only")]
    count_only: bool,
    /// Ask one member alone: faster, and perhaps behind the others.
    #[arg(long)]
    serializable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortBy {
    Key,
    Version,
    Create,
    #[value(alias = "mod")]
    Modify,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    Ascend,
    Descend,
}

impl Query {
    pub(crate) fn request(&self) -> RangeRequest {
        let (key, range_end) = self.interval.ends();
        let order = match self.order {
            None if self.sort_by.is_some() => SortOrder::Ascend,
            None => SortOrder::None,
            Some(Order::Ascend) => SortOrder::Ascend,
            Some(Order::Descend) => SortOrder::Descend,
        };
        let target = match self.sort_by {
            None | Some(SortBy::Key) => SortTarget::Key,
            Some(SortBy::Version) => SortTarget::Version,
            Some(SortBy::Create) => SortTarget::Create,
            Some(SortBy::Modify) => SortTarget::Mod,
            Some(SortBy::Value) => SortTarget::Value,
        };
        RangeRequest {
            key,
            range_end,
            limit: self.limit,
            revision: self.rev,
            sort_order: order.into(),
            sort_target: target.into(),
            serializable: self.serializable,
            keys_only: self.keys_only,
            count_only: self.count_only,
            ..RangeRequest::default()
        }
    }
}

impl Get {
    pub(crate) fn run(&self) -> Result {
        let client = self.target.client()?;
        let response = block_on(async { Ok(client.range(self.query.request()).await?) })?;
        match self.output.format {
            Format::Json => output::json(&document(&response)),
            Format::Plain if self.query.count_only => output::line(response.count),
            Format::Plain => output::bytes(&self.lines(&response)),
        }
    }

    fn lines(&self, response: &RangeResponse) -> Vec<u8> {
        let parts = if self.query.keys_only {
            Parts::Key
        } else if self.print_value_only {
            Parts::Value
        } else {
            Parts::Both
        };
        let mut out = Vec::new();
        records(&response.kvs, parts, &mut out);
        out
    }
}

/// A range's answer as JSON.
pub(crate) fn document(response: &RangeResponse) -> Value {
    json!({
        "header": json::header(response.header.as_ref()),
        "kvs": json::key_values(&response.kvs),
        "more": response.more,
        "count": response.count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Parsed {
        #[command(flatten)]
        query: Query,
    }

    fn request(arguments: &[&str]) -> RangeRequest {
        Parsed::try_parse_from(arguments).unwrap().query.request()
    }

    #[test]
    fn sorting_by_something_ascends_unless_told_otherwise() {
        let plain = request(&["k", "--prefix"]);
        assert_eq!((plain.sort_order(), plain.sort_target()), (SortOrder::None, SortTarget::Key));
        let by_mod = request(&["k", "--sort-by", "modify"]);
        let sorted = (by_mod.sort_order(), by_mod.sort_target());
        assert_eq!(sorted, (SortOrder::Ascend, SortTarget::Mod));
        let down = request(&["k", "--order", "descend"]);
        assert_eq!((down.sort_order(), down.sort_target()), (SortOrder::Descend, SortTarget::Key));
    }

    #[test]
    fn numbers_reach_the_request() {
        let request = request(&["k", "--rev", "7", "--limit", "3", "--keys-only"]);
        assert_eq!((request.revision, request.limit, request.keys_only), (7, 3, true));
    }

    #[test]
    fn parts_that_exclude_each_other_are_refused() {
        let both = ["conclave", "kv", "get", "k", "--keys-only", "--count-only"];
        assert!(Cli::try_parse_from(both).is_err());
        let both = ["conclave", "kv", "get", "k", "--keys-only", "--print-value-only"];
        assert!(Cli::try_parse_from(both).is_err());
    }
}
