//! `conclave sim faults`.

use clap::Args;
use serde_json::json;
use sim::Kind;
use sim::marks::Mark;

use crate::cli::output::{self, Format, Output};
use crate::cli::table::table;
use crate::failure::Result;

/// List every kind of fault that a world knows, and the rare states that a campaign must reach.
///
/// Examples:
///
///   conclave sim faults
///   conclave sim faults -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Faults {
    #[command(flatten)]
    output: Output,
}

impl Faults {
    pub(crate) fn run(&self) -> Result {
        let marks: Vec<String> = Mark::ALL.iter().map(|mark| format!("{mark:?}")).collect();
        if self.output.format == Format::Json {
            let kind = |kind: &Kind| {
                let (class, name, what) = (kind.class(), kind.name(), kind.what());
                json!({ "class": class, "name": name, "what": what })
            };
            let kinds: Vec<_> = Kind::ALL.iter().map(kind).collect();
            return output::json(&json!({ "faults": kinds, "marks": marks }));
        }
        let row =
            |kind: &Kind| [kind.class(), kind.name(), kind.what()].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = Kind::ALL.iter().map(row).collect();
        output::bytes(table(&["CLASS", "FAULT", "WHAT HAPPENS"], &rows).as_bytes())?;
        output::line("")?;
        let rows: Vec<Vec<String>> = marks.into_iter().map(|mark| vec![mark]).collect();
        output::bytes(table(&["MARK"], &rows).as_bytes())
    }
}
