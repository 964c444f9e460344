//! The little language of `conclave kv txn`, which is that of `etcdctl txn`.
//!
//! ```text
//! transaction = comparisons "" operations "" operations [""]
//! comparison  = target "(" word ")" ("=" | "!=" | "<" | ">") word
//! target      = "value" | "v" | "version" | "ver" | "create" | "c" | "mod" | "m" | "lease"
//! operation   = ("put" | "get" | "del") word*
//! word        = bare characters | "'" … "'" | '"' … '"'
//! ```
//!
//! Within double quotes a backslash makes `\n`, `\t`, `\r`, `\0`, `\\`, `\"` and `\xNN`; within
//! single quotes nothing is special. The number of a revision or version is decimal, that of a
//! lease hexadecimal. Empty parts are allowed; a missing one is empty.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use clap::Parser;
use client::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use client::etcdserverpb::request_op::Request;
use client::etcdserverpb::{Compare, RequestOp, TxnRequest};

use super::del::Removal;
use super::get::Query;
use super::put::Write;
use crate::cli::lease::lease_id;
use crate::failure::{Failure, Result};

/// Reads a whole transaction.
pub(crate) fn parse(text: &str) -> Result<TxnRequest> {
    let mut parts: [Vec<(usize, &str)>; 3] = Default::default();
    let mut part = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            part += 1;
        } else if let Some(lines) = parts.get_mut(part) {
            lines.push((index + 1, line));
        } else {
            let text = "there is nothing after the third part; parts end with an empty line";
            return Err(wrong(index + 1, text));
        }
    }
    let [compares, success, failure] = parts;
    Ok(TxnRequest {
        compare: each(&compares, comparison)?,
        success: each(&success, operation)?,
        failure: each(&failure, operation)?,
    })
}

fn each<T>(lines: &[(usize, &str)], parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>> {
    let one = |&(number, line): &(usize, &str)| parse(line).map_err(|why| wrong(number, &why));
    lines.iter().map(one).collect()
}

fn wrong(line: usize, why: &str) -> Failure {
    Failure::usage(format!("line {line} of the transaction: {why}"))
}

/// Reads `target("key") operator "value"`.
fn comparison(line: &str) -> Result<Compare, String> {
    let form = || format!("{line:?} is no comparison such as value(\"key\") = \"text\"");
    let (target, rest) = line.split_once('(').ok_or_else(form)?;
    let (key, rest) = word(rest, |byte| byte == b')')?;
    let rest = rest.trim_start().strip_prefix(')').ok_or_else(form)?.trim_start();
    let (result, rest) = operator(rest).ok_or_else(form)?;
    let (value, rest) = word(rest.trim_start(), |byte| byte.is_ascii_whitespace())?;
    if !rest.trim().is_empty() {
        return Err(form());
    }
    let number = || number(&value);
    let (target, union) = match target.trim() {
        "value" | "v" => (CompareTarget::Value, TargetUnion::Value(value.into())),
        "version" | "ver" => (CompareTarget::Version, TargetUnion::Version(number()?)),
        "create" | "c" => (CompareTarget::Create, TargetUnion::CreateRevision(number()?)),
        "mod" | "m" => (CompareTarget::Mod, TargetUnion::ModRevision(number()?)),
        "lease" => (CompareTarget::Lease, TargetUnion::Lease(lease(&value)?)),
        other => {
            return Err(format!("{other:?} is none of value, version, create, mod and lease"));
        }
    };
    Ok(Compare {
        result: result.into(),
        target: target.into(),
        key: key.into(),
        target_union: Some(union),
        ..Compare::default()
    })
}

fn operator(text: &str) -> Option<(CompareResult, &str)> {
    let operators = [
        ("!=", CompareResult::NotEqual),
        ("=", CompareResult::Equal),
        ("<", CompareResult::Less),
        (">", CompareResult::Greater),
    ];
    operators.into_iter().find_map(|(sign, result)| Some((result, text.strip_prefix(sign)?)))
}

fn number(value: &[u8]) -> Result<i64, String> {
    let text = String::from_utf8_lossy(value);
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

fn lease(value: &[u8]) -> Result<i64, String> {
    lease_id(&String::from_utf8_lossy(value))
}

/// The operations, with the flags of the commands of the same names.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_help_subcommand = true)]
enum Operation {
    Get(Query),
    Put(Write),
    Del(Removal),
}

fn operation(line: &str) -> Result<RequestOp, String> {
    let words = words(line)?.into_iter().map(OsString::from_vec);
    let parsed = Operation::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        format!("{line:?}: {}", first.strip_prefix("error: ").unwrap_or(first))
    })?;
    let request = match parsed {
        Operation::Get(query) => Request::RequestRange(query.request()),
        Operation::Put(write) => {
            // Standard input is the transaction itself.
            let none = || Err(Failure::usage("put needs a key and a value"));
            let put = write.request(none).map_err(|_| "put needs a key and a value".to_owned())?;
            Request::RequestPut(put)
        }
        Operation::Del(removal) => Request::RequestDeleteRange(removal.request()),
    };
    Ok(RequestOp { request: Some(request) })
}

fn words(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (one, after) = word(rest, |byte| byte.is_ascii_whitespace())?;
        words.push(one);
        rest = after.trim_start();
    }
    Ok(words)
}

/// Reads one word up to a byte that ends it, and returns the rest from that byte on.
fn word(text: &str, ends: fn(u8) -> bool) -> Result<(Vec<u8>, &str), String> {
    let mut word = Vec::new();
    let mut quote = None;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            // Only an ASCII byte can end a word, so `at` is a character's boundary.
            (None, _) if ends(byte) => return Ok((word, &text[at..])),
            (Some(open), _) if byte == open => quote = None,
            (Some(b'"'), b'\\') => word.push(escape(&mut bytes)?),
            (None | Some(_), _) => word.push(byte),
        }
    }
    match quote {
        Some(open) => Err(format!("a {} is not closed", char::from(open))),
        None => Ok((word, "")),
    }
}

/// Reads what follows a backslash.
fn escape(bytes: &mut impl Iterator<Item = (usize, u8)>) -> Result<u8, String> {
    let mut next = || bytes.next().map(|(_, byte)| char::from(byte));
    match next() {
        Some('n') => Ok(b'\n'),
        Some('t') => Ok(b'\t'),
        Some('r') => Ok(b'\r'),
        Some('0') => Ok(0),
        Some('\\') => Ok(b'\\'),
        Some('"') => Ok(b'"'),
        Some('x') => {
            let digits = [next(), next()].into_iter().flatten().collect::<String>();
            u8::from_str_radix(&digits, 16)
                .ok()
                .filter(|_| digits.len() == 2)
                .ok_or_else(|| format!("\\x{digits} is no byte: \\x takes two hexadecimal digits"))
        }
        Some(other) => Err(format!("\\{other} means nothing; \\\\ is a backslash")),
        None => Err("a line cannot end with a backslash".to_owned()),
    }
}

#[cfg(test)]
mod tests;
