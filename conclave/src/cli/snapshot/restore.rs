//! `conclave snapshot restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use server::InitialMember;
use store::Bump;

use super::progress::Progress;
use crate::cli::output::{self, Format, Output};
use crate::cli::start_line::StartLine;
use crate::config::initial_member;
use crate::failure::{Failure, Result};

/// The largest bump: as many revisions are left for writes, at least.
const MOST: i64 = 1 << 61;

/// Make the data directory of a member of a new cluster from a backup.
///
/// Run it once for each member, with the same file and the same --initial-cluster, and then start
/// the members with the same --name, --initial-cluster and --cluster-token. The new cluster has an
/// id of its own: its token must not be that of the cluster which the backup is of, unless members
/// or their addresses differ. Keys, their revisions and their history are those of the backup;
/// leases live their whole time again; alarms are cleared.
///
/// Clients that have seen later revisions than the backup has must not see these mean something
/// else: --bump-revision with at least the number of writes since, and --mark-compacted, so that
/// whoever watches from one of them is told to begin anew.
///
/// Examples:
///
///   conclave snapshot restore backup.snapshot --data-dir /var/lib/conclave --cluster-token new
///   conclave snapshot restore backup.snapshot --name n1 --data-dir d1 --cluster-token new \
///     --initial-cluster n1=10.0.0.1:2380,n2=10.0.0.2:2380,n3=10.0.0.3:2380 \
///     --bump-revision 1000000000 --mark-compacted
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Restore {
    /// The backup.
    file: PathBuf,
    /// The directory to make; nothing may stand there but an empty one.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The member whose directory it is; it must be among those of --initial-cluster.
    #[arg(long, default_value = "default", value_name = "NAME")]
    name: String,
    /// All members of the new cluster, and where each is reached by the others
    /// [default: this one alone, at 127.0.0.1:2380].
    #[arg(long, value_name = "NAME=HOST:PORT,…", value_delimiter = ',')]
    #[arg(value_parser = initial_member)]
    initial_cluster: Option<Vec<InitialMember>>,
    /// Distinguishes the new cluster from others with the same members.
    #[arg(long, alias = "initial-cluster-token", default_value = "conclave", value_name = "TEXT")]
    cluster_token: String,
    /// How much larger the revision is than that of the backup.
    #[arg(long, value_name = "N", requires = "mark_compacted")]
    #[arg(value_parser = clap::value_parser!(i64).range(1..=MOST))]
    bump_revision: Option<i64>,
    /// Compact all history before the bumped revision.
    #[arg(long, requires = "bump_revision")]
    mark_compacted: bool,
    #[command(flatten)]
    output: Output,
}

impl Restore {
    pub(crate) fn run(self) -> Result {
        let bytes = std::fs::metadata(&self.file).map_or(0, |metadata| metadata.len());
        let alone = server::Config::single(&self.name).initial_cluster;
        let wanted = server::Restore {
            data_dir: self.data_dir,
            name: self.name,
            initial_cluster: self.initial_cluster.unwrap_or(alone),
            cluster_token: self.cluster_token,
            bump: Bump { by: self.bump_revision.unwrap_or(0), mark_compacted: self.mark_compacted },
        };
        let mut progress = Progress::new("restoring");
        let restored = server::restore(&self.file, &wanted, |done| progress.at(done, bytes));
        drop(progress);
        let restored = restored.map_err(Failure::new)?;
        let (cluster, member) = (restored.cluster.0, restored.member.0);
        let dir = wanted.data_dir.display();
        let start = StartLine {
            name: &wanted.name,
            data_dir: &wanted.data_dir,
            cluster: &wanted.initial_cluster,
            taken: &[],
            joins: false,
            token: Some(&wanted.cluster_token),
        };
        let start = start.render();
        match self.output.format {
            Format::Json => output::json(&json!({
                "data_dir": dir.to_string(),
                "name": wanted.name,
                "cluster_id": cluster,
                "member_id": member,
                "revision": restored.revision,
                "backup_revision": restored.backup.revision,
                "start": start,
            })),
            Format::Plain => {
                let others = match wanted.initial_cluster.len() {
                    1 => "",
                    _ => ", once every member is restored from the same file",
                };
                output::line(format!(
                    "{dir} is ready for {} ({member:016x}) of the new cluster {cluster:016x}, at \
                     revision {}.\n\nStart it with{others}:\n\n  {start}",
                    wanted.name, restored.revision
                ))
            }
        }
    }
}
