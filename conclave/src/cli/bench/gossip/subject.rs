//! A process whose load is measured.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::free_port;
use crate::cli::measured::Row;
use crate::failure::{Failure, Result};

/// How long its API may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// An agent of this program.
    Ours,
    /// An agent of Serf: its program.
    Serf(PathBuf),
}

/// A process whose load is measured. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Subject {
    kind: Kind,
    name: String,
    child: Child,
    /// Where it is asked: HTTP of ours, RPC of Serf's.
    door: SocketAddr,
}

/// What went through the sockets so far.
#[derive(Clone, Debug)]
pub(super) struct Traffic([u64; TRAFFIC.len()]);

/// The figures of traffic: what they are called on the agent's page, and here.
const TRAFFIC: [(&str, &str, &str); 6] = [
    ("packets_total{direction=\"out\"}", "packets out", "/s"),
    ("packets_total{direction=\"in\"}", "packets in", "/s"),
    ("packet_bytes_total{direction=\"out\"}", "in packets, out", "bytes/s"),
    ("packet_bytes_total{direction=\"in\"}", "in packets, in", "bytes/s"),
    ("stream_bytes_total{direction=\"out\"}", "exchanged, out", "bytes/s"),
    ("stream_bytes_total{direction=\"in\"}", "exchanged, in", "bytes/s"),
];

impl Subject {
    /// Starts one that joins whoever is at `join`.
    pub(super) fn start(kind: Kind, join: SocketAddr) -> Result<Self> {
        let (gossip, door) = (free_port()?, free_port()?);
        let (mut command, name) = match &kind {
            Kind::Ours => {
                let program = std::env::current_exe()?;
                let mut command = Command::new(program);
                command.args(["agent", "--name", "agent", "--log", "warn", "--exit-with-stdin"]);
                command.arg("--listen-gossip").arg(gossip.to_string());
                command.arg("--listen-http").arg(door.to_string());
                command.arg("--join").arg(join.to_string());
                (command, "agent".to_owned())
            }
            Kind::Serf(program) => {
                let mut command = Command::new(program);
                command.args(["agent", "-node=serf", "-profile=lan", "-log-level=err"]);
                command.arg(format!("-bind={gossip}")).arg(format!("-rpc-addr={door}"));
                command.arg(format!("-join={join}"));
                (command, "serf".to_owned())
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .spawn()
            .map_err(|error| Failure::new(format!("cannot start {program}: {error}")))?;
        Ok(Self { kind, name, child, door })
    }

    /// What it is called in the table.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is an agent of this program.
    pub(super) const fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::Ours)
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Looks whether it still runs.
    pub(super) fn look(&mut self) -> Result {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!(
                "{} has ended ({status}), though nobody told it to; what it says stands above",
                self.name
            ))),
        }
    }

    /// How many members it believes to be there; `None` while it does not answer.
    pub(super) fn members(&self) -> Option<usize> {
        match &self.kind {
            Kind::Ours => {
                let alive = figure(&self.page().ok()?, "members{status=\"alive\"}")?;
                usize::try_from(alive).ok()
            }
            Kind::Serf(program) => {
                let mut command = Command::new(program);
                command.arg("members").arg(format!("-rpc-addr={}", self.door));
                let said = command.arg("-status=alive").stdin(Stdio::null()).output().ok()?;
                let list = String::from_utf8_lossy(&said.stdout).into_owned();
                said.status.success().then(|| list.lines().count())
            }
        }
    }

    /// News that it has still to pass on.
    pub(super) fn queued(&self) -> Result<u64> {
        figure(&self.page()?, "queued").ok_or_else(|| missing("queued"))
    }

    /// What went through its sockets so far.
    pub(super) fn traffic(&self) -> Result<Traffic> {
        let page = self.page()?;
        let mut figures = [0; TRAFFIC.len()];
        for (value, (name, ..)) in figures.iter_mut().zip(TRAFFIC) {
            *value = figure(&page, name).ok_or_else(|| missing(name))?;
        }
        Ok(Traffic(figures))
    }

    fn page(&self) -> Result<String> {
        self.ask().map_err(|error| {
            Failure::new(format!("the agent does not answer at {}: {error}", self.door))
        })
    }

    fn ask(&self) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.door, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Traffic {
    /// What went through since, a second.
    pub(super) fn since(&self, before: &Self, seconds: f64) -> Vec<Row> {
        let all = TRAFFIC.iter().zip(self.0.iter().zip(&before.0));
        let row =
            |((_, what, unit), (now, before)): (&(&str, &str, &'static str), (&u64, &u64))| {
                let each = now.saturating_sub(*before) as f64 / seconds;
                Row::new(format!("agent: {what}"), unit, vec![each])
            };
        all.map(row).collect()
    }
}

/// A figure on the agent's page.
fn figure(page: &str, name: &str) -> Option<u64> {
    let line = |line: &str| {
        let (found, value) = line.strip_prefix("conclave_gossip_")?.split_once(' ')?;
        (found == name).then(|| value.trim().parse().ok())?
    };
    page.lines().find_map(line)
}

fn missing(name: &str) -> Failure {
    Failure::new(format!("the agent does not say how much this is: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_their_whole_name() {
        let page = "# HELP x\nconclave_gossip_queued_bytes 9\nconclave_gossip_queued 7\n";
        assert_eq!(figure(page, "queued"), Some(7));
        assert_eq!(figure(page, "queue"), None);
    }

    #[test]
    fn traffic_is_what_was_added_a_second() {
        let rows = Traffic([30; 6]).since(&Traffic([10; 6]), 10.0);
        assert_eq!((rows.len(), &rows[0].document()["median"]), (6, &2.0.into()));
    }
}
