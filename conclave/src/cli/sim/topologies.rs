//! `conclave sim topologies`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use sim::lab::topology::{Ablation, Family, Plan, Start, Topologies as Table, ablate, run_part};

use super::parallel;
use super::progress::Progress;
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// Elect leaders under all 64 sets of directed links between three nodes and all 1,024 sets of
/// undirected links between five, from fresh, healthy, unequal and stormy beginnings. Exits with 1
/// when a run goes against the laws.
///
/// Examples:
///
///   conclave sim topologies
///   conclave sim topologies --seeds 20 -o json
///   conclave sim topologies --without
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Topologies {
    /// How often each set is tried from each beginning.
    #[arg(long, default_value_t = 5, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Where the seeds come from.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// Only the sets between so many nodes.
    #[arg(long, value_name = "N", value_parser = PossibleValuesParser::new(["3", "5"]))]
    nodes: Option<String>,
    /// Let nodes find ways around broken links, over one other node; between five nodes.
    #[arg(long, conflicts_with_all = ["without", "nodes"])]
    mesh: bool,
    /// Show what each protection is for instead: which laws are broken without it.
    #[arg(long)]
    without: bool,
    #[command(flatten)]
    output: Output,
}

impl Topologies {
    pub(crate) fn run(&self) -> Result {
        let plan = Plan { mesh: self.mesh, ..Plan::new(self.seeds, self.seed) };
        if self.without {
            return self.show_without(&plan);
        }
        let parts: Vec<(Family, Start)> = self
            .families()
            .into_iter()
            .flat_map(|family| Start::ALL.into_iter().map(move |start| (family, start)))
            .collect();
        let mut progress = Progress::new();
        let examined = parallel::each(
            &parts,
            |(family, start)| run_part(*family, *start, &plan),
            |done| progress.show(|_| format!("{done} of {} tables", parts.len())),
        );
        progress.clear();
        let mut all = Table { rows: Vec::new(), findings: Vec::new() };
        for part in examined {
            all.rows.extend(part.rows);
            all.findings.extend(part.findings);
        }
        match self.output.format {
            Format::Plain => output::bytes(all.to_string().as_bytes())?,
            Format::Json => output::json(&super::value(&all)?)?,
        }
        if all.findings.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("{} runs go against the laws", all.findings.len())))
    }

    fn families(&self) -> Vec<Family> {
        match self.nodes.as_deref() {
            Some("3") => vec![Family::Directed3],
            _ if self.mesh => vec![Family::Undirected5],
            Some("5") => vec![Family::Undirected5],
            _ => vec![Family::Directed3, Family::Undirected5],
        }
    }

    fn show_without(&self, plan: &Plan) -> Result {
        let all: Vec<Ablation> =
            parallel::each(&self.families(), |family| ablate(*family, plan), |_| {});
        match self.output.format {
            Format::Json => output::json(&super::value(&all)?),
            Format::Plain => {
                let tables: Vec<String> = all.iter().map(ToString::to_string).collect();
                output::bytes(tables.join("\n").as_bytes())
            }
        }
    }
}
