//! `conclave recover`.

use std::fmt::Write as _;
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use protocol::Index;
use serde_json::{Value, json};
use server::{Found, InitialMember, Recovered, Recovering};
use storage::backup::Stamp;
use store::{Bump, Recovery};

use crate::cli::output::{self, Format, Output};
use crate::cli::start_line::StartLine;
use crate::config::initial_member;
use crate::failure::{Failure, Result};

/// The largest bump: as many revisions are left for writes, at least.
const MOST: i64 = 1 << 61;

/// Begin a new cluster with what a survivor has, when a majority of the members is lost for good.
///
/// Only then: as long as a majority can be started again, start it. If one member of many is lost,
/// `conclave member replace` is the way.
///
/// Stop the survivors. Give the data directories of all of them: the one with the most is used,
/// and none is changed. You are told what was found before anything is decided. The new directory
/// is of a cluster of one member, with an id of its own: keys, history, leases and the numbers of
/// clients' writes are those of the survivor. Lost members that come back are not let in. That it
/// was done is an entry of the log, and `conclave inspect state` and every start tell of it.
///
/// What the lost members had acknowledged without the survivor is lost. The new cluster runs Raft,
/// also where the survivor's ran Zab.
///
/// Examples:
///
///   conclave recover /var/lib/conclave --data-dir /var/lib/conclave-recovered
///   conclave recover /mnt/n1/data /mnt/n3/data --data-dir /var/lib/conclave-recovered --yes
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Recover {
    /// The data directories of survivors, which do not run.
    #[arg(required = true, value_name = "SURVIVOR")]
    survivors: Vec<PathBuf>,
    /// The directory to make; nothing may stand there but an empty one.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Where other members will reach this one [default: where they did before].
    #[arg(long, value_name = "HOST:PORT")]
    #[arg(value_parser = peer)]
    peer: Option<String>,
    /// How much larger the revision is than that of the survivor.
    #[arg(long, value_name = "N", requires = "mark_compacted")]
    #[arg(value_parser = clap::value_parser!(i64).range(1..=MOST))]
    bump_revision: Option<i64>,
    /// Compact all history before the bumped revision.
    #[arg(long, requires = "bump_revision")]
    mark_compacted: bool,
    /// Go on though entries are missing that may have been acknowledged.
    #[arg(long)]
    accept_loss: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: Output,
}

fn peer(text: &str) -> Result<String, String> {
    let member = initial_member(&format!("it={text}"));
    member.map(|member| member.peer).map_err(|_| format!("{text:?} is not HOST:PORT"))
}

impl Recover {
    pub(crate) fn run(self) -> Result {
        let wanted = server::Recover {
            survivors: self.survivors.clone(),
            data_dir: self.data_dir.clone(),
            peer: self.peer.clone(),
            bump: Bump { by: self.bump_revision.unwrap_or(0), mark_compacted: self.mark_compacted },
        };
        let recovering = Recovering::begin(&wanted).map_err(Failure::new)?;
        let found = recovering.found().clone();
        eprint!("{}", describe(&found));
        if let Some(refusal) = self.refusal(&found) {
            recovering.give_up().map_err(Failure::new)?;
            return Err(refusal);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let recovered = recovering.finish(at_ms).map_err(Failure::new)?;
        self.print(&found, &recovered)
    }

    /// Why it ends here, if it does.
    fn refusal(&self, found: &Found) -> Option<Failure> {
        if found.doubt.is_some() && !self.accept_loss {
            return Some(Failure::new(
                "entries are missing that may have been acknowledged. Recover from another \
                 survivor, if there is one; otherwise --accept-loss goes on without them. Nothing \
                 was changed",
            ));
        }
        (!self.yes && !confirmed()).then(|| Failure::new("not confirmed; nothing was changed"))
    }

    fn print(&self, found: &Found, recovered: &Recovered) -> Result {
        let dir = self.data_dir.display();
        let Recovered { cluster, member, revision, peer } = recovered;
        let start = self.start(found, peer);
        match self.output.format {
            Format::Json => output::json(&json!({
                "data_dir": dir.to_string(),
                "cluster_id": cluster.0,
                "member_id": member.0,
                "revision": revision,
                "survivor": found.used().path.display().to_string(),
                "survivor_cluster_id": found.used().identity.cluster.0,
                "survivor_member_id": found.used().member().0,
                "survivor_revision": found.revision,
                "raft_term": found.last.term.0,
                "raft_index": found.last.index.0,
                "commit": found.commit.0,
                "given_up": found.given_up.iter().map(|(id, name)| json!({
                    "id": id.0,
                    "name": name,
                })).collect::<Vec<_>>(),
                "start": start,
            })),
            Format::Plain => output::bytes(
                format!(
                    "{dir} is ready: member {member} of the new cluster {:016x}, at revision \
                     {revision}.\n\n{}",
                    cluster.0,
                    steps(found, &start)
                )
                .as_bytes(),
            ),
        }
    }

    /// The command that starts the recovered member.
    fn start(&self, found: &Found, peer: &str) -> String {
        let name = found.name.as_deref().unwrap_or("NAME");
        let cluster = [InitialMember { name: name.to_owned(), peer: peer.to_owned() }];
        let data_dir = &self.data_dir;
        let (joins, token) = (false, None);
        StartLine { name, data_dir, cluster: &cluster, taken: &[], joins, token }.render()
    }
}

fn describe(found: &Found) -> String {
    let mut text = String::new();
    let used = found.used();
    for looked in &found.looked {
        let chosen = if looked.path == used.path { "  <- used: it has the most" } else { "" };
        let _ = writeln!(
            text,
            "{}: member {}, log up to {}{}",
            looked.path.display(),
            looked.member(),
            looked.last,
            if found.looked.len() > 1 { chosen } else { "" }
        );
    }
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<14}{value}");
    };
    line("cluster", format!("{:016x}", used.identity.cluster.0));
    let name = found.name.as_deref().unwrap_or("(it never told its name)");
    line("member", format!("{} {name}", used.member()));
    line("term", found.term.0.to_string());
    line("last entry", found.last.to_string());
    line("committed", format!("{}, as far as it knew", found.commit));
    line("kept as well", format!("{} entries after that, which may be", found.unsure()));
    if let Some(doubt) = found.doubt {
        line("MISSING", format!("entries up to {doubt}, which may have been acknowledged"));
    }
    line("revision", found.revision.to_string());
    line("keys", found.keys.to_string());
    line("leases", format!("{}; each lives its whole time again", found.leases));
    for (id, name) in &found.given_up {
        line("given up", format!("{id} {name}"));
    }
    text.push_str(
        "\nThis is for the loss of a majority for good, and cannot be undone once clients write.\n\
         - What the members given up had acknowledged without this one is lost.\n\
         - If a majority of them is alive, this makes a second cluster beside it: this command\n\
         \x20 cannot know. Make sure that they are stopped and stay so.\n\
         - The new cluster has an id of its own: members given up that come back are not let in.\n",
    );
    text
}

/// Whether somebody says `yes`.
fn confirmed() -> bool {
    eprint!("\nType yes to go on: ");
    // Who does not see the question cannot answer it.
    let _lost = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && answer.trim() == "yes"
}

/// A record of a recovery, for people.
pub(super) fn words(at: Index, recovery: &Recovery) -> String {
    let given_up: Vec<String> =
        recovery.given_up.iter().map(|(id, name)| format!("{id} {name}")).collect();
    format!(
        "at {}, from member {} of cluster {:016x}, log up to {}, known to be committed {}, \
         without {} (entry {at})",
        Stamp::of_ms(recovery.at_ms),
        recovery.survivor,
        recovery.cluster.0,
        recovery.last,
        recovery.commit,
        given_up.join(", ")
    )
}

/// The same for programs.
pub(super) fn document((at, recovery): &(Index, Recovery)) -> Value {
    let given_up = recovery.given_up.iter().map(|(id, name)| json!({ "id": id.0, "name": name }));
    json!({
        "entry": at.0,
        "at": Stamp::of_ms(recovery.at_ms).to_string(),
        "cluster_id": recovery.cluster.0,
        "member_id": recovery.survivor.0,
        "raft_term": recovery.last.term.0,
        "raft_index": recovery.last.index.0,
        "commit": recovery.commit.0,
        "doubt": recovery.doubt.map(|doubt| doubt.0),
        "given_up": given_up.collect::<Value>(),
    })
}

/// What to do next.
fn steps(found: &Found, start: &str) -> String {
    let name = found.name.as_deref().unwrap_or("this member");
    format!(
        "1. Start it; add the further flags that {name} had, such as --cluster-token:\n\
         \x20    {start}\n\
         2. Point clients at it, and look: conclave status --endpoints HOST:PORT\n\
         3. On each machine of a member given up, put its old data directory aside. Then add the\n\
         \x20  members anew, one after the other, and start each as it is told:\n\
         \x20    conclave member add PEER-URL --name NAME --endpoints HOST:PORT\n\
         4. Keep {} until all is well; nothing in it was changed.\n\
         Clients that cache by revision may have seen later ones than {}: if there are any, begin\n\
         anew with --bump-revision 1000000000 --mark-compacted.\n",
        found.used().path.display(),
        found.revision
    )
}
