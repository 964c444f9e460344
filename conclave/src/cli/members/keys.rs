//! `conclave members keys`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::text;
use crate::cli::http::Http;
use crate::cli::output::{self, Format};
use crate::cli::table::table;
use crate::failure::{Failure, Result};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Which keys there are, and how many members have each.
    ///
    /// Example: conclave members keys list
    List,
    /// Let everybody read what this key encrypts.
    ///
    /// Example: conclave members keys install "$(openssl rand -base64 32)"
    Install {
        /// 16, 24 or 32 bytes in base64.
        key: String,
    },
    /// Let everybody encrypt with this key from now on.
    ///
    /// Example: conclave members keys use KEY
    Use {
        /// A key that everybody has.
        key: String,
    },
    /// Let everybody forget this key.
    ///
    /// Example: conclave members keys remove KEY
    Remove {
        /// A key that nobody encrypts with.
        key: String,
    },
}

impl Keys {
    pub(super) async fn run(&self, http: &Http, format: Format) -> Result {
        let request = match self {
            Self::List => json!({ "operation": "list" }),
            Self::Install { key } => json!({ "operation": "install", "key": key }),
            Self::Use { key } => json!({ "operation": "use", "key": key }),
            Self::Remove { key } => json!({ "operation": "remove", "key": key }),
        };
        let report = http.post("keys", &request).await?;
        match (format, self) {
            (Format::Json, _) => output::json(&report)?,
            (Format::Plain, Self::List) => list(&report)?,
            (Format::Plain, _) => {}
        }
        if report["done"] == true {
            return Ok(());
        }
        let refused = report["refused"].as_object();
        let refused =
            refused.into_iter().flatten().map(|(name, why)| format!("\n  {name}: {}", text(why)));
        Err(Failure::new(format!(
            "not everybody has done it: {} of {} members answered{}\nsee to these members and say \
             it again before the next step",
            report["answered"],
            report["members"],
            refused.collect::<String>()
        )))
    }
}

fn list(report: &Value) -> Result {
    let keys = report["keys"].as_object();
    let rows = keys.into_iter().flatten().map(|(key, members)| {
        let primary = report["primary"][key].as_u64().unwrap_or(0);
        vec![key.clone(), members.to_string(), primary.to_string()]
    });
    let rows: Vec<_> = rows.collect();
    output::bytes(table(&["KEY", "MEMBERS", "ENCRYPT WITH IT"], &rows).as_bytes())
}
