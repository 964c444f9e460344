//! Three members of one system, as processes on loopback with fresh data.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::Client;
use super::health;
use super::janitor::{self, Janitor};
use super::process::{Memory, Process};
use super::system::{Addresses, Programs, System};

/// How many members each system has.
pub(crate) const MEMBERS: usize = 3;

/// How long a member may take until it is healthy: a large store is read from a slow disk.
const PATIENCE: Duration = Duration::from_secs(300);
/// The pause between two looks, which is also how fine start-up times are.
const PAUSE: Duration = Duration::from_millis(2);

/// Where a run stands: a folder that goes when the run ends, however it ends.
#[derive(Debug)]
pub(crate) struct Ground {
    // Dropped before the janitor, which then finds nothing left to do.
    folder: TempDir,
    janitor: Janitor,
}

impl Ground {
    /// A new folder in `dir`, which is created if need be.
    pub(crate) fn new(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let refuse = |error| format!("cannot write to {}: {error}; choose --dir", dir.display());
        let made = fs::create_dir_all(dir).and_then(|()| fs::canonicalize(dir));
        let dir = made.map_err(refuse)?;
        let folder = tempfile::Builder::new().prefix(janitor::PREFIX).tempdir_in(&dir);
        let folder = folder.map_err(refuse)?;
        let janitor = Janitor::start(folder.path())?;
        Ok(Self { folder, janitor })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) const fn janitor(&self) -> &Janitor {
        &self.janitor
    }
}

/// The members. Dropped, their processes are killed and their data are removed.
pub(crate) struct Cluster<'a> {
    pub(crate) system: System,
    programs: &'a Programs,
    ground: &'a Ground,
    addresses: Vec<Addresses>,
    folder: PathBuf,
    /// None for a member that is stopped.
    processes: Vec<Option<Process<'a>>>,
}

impl<'a> Cluster<'a> {
    /// Starts them, and waits until all are healthy and one leads.
    pub(crate) fn start(
        system: System,
        programs: &'a Programs,
        ground: &'a Ground,
        client: &Client,
    ) -> Result<Self, Box<dyn Error>> {
        let folder = ground.path().join(system.to_string());
        fs::create_dir(&folder)?;
        let addresses = addresses()?;
        let processes = addresses.iter().map(|_| None).collect();
        let mut cluster = Self { system, programs, ground, addresses, folder, processes };
        for at in 0..MEMBERS {
            cluster.run(at)?;
        }
        cluster.await_healthy()?;
        let deadline = Instant::now() + PATIENCE;
        while cluster.leader(client)?.is_none() {
            if Instant::now() >= deadline {
                return Err(format!("no member of {system} leads").into());
            }
        }
        Ok(cluster)
    }

    /// As the client writes them.
    pub(crate) fn endpoints(&self) -> String {
        let shown: Vec<String> =
            self.addresses.iter().map(|member| member.client.to_string()).collect();
        shown.join(",")
    }

    /// Which member leads now.
    pub(crate) fn leader(&self, client: &Client) -> Result<Option<usize>, Box<dyn Error>> {
        client.leader(&self.endpoints())
    }

    /// The processor time of each member so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<[f64; MEMBERS], Box<dyn Error>> {
        let mut times = [0.0; MEMBERS];
        for (time, process) in times.iter_mut().zip(&self.processes) {
            *time = process.as_ref().ok_or("a member is stopped")?.cpu_us()?;
        }
        Ok(times)
    }

    /// The memory of each member.
    pub(crate) fn memory(&self) -> Result<[Memory; MEMBERS], Box<dyn Error>> {
        let mut all = [Memory::default(); MEMBERS];
        for (memory, process) in all.iter_mut().zip(&self.processes) {
            *memory = process.as_ref().ok_or("a member is stopped")?.memory()?;
        }
        Ok(all)
    }

    /// Stops a member, starts it again, and tells how long it took from the start of the process
    /// until it was healthy.
    pub(crate) fn restart(&mut self, at: usize) -> Result<Duration, Box<dyn Error>> {
        let name = self.described(at);
        let process = self.processes[at].take().ok_or_else(|| format!("{name} is stopped"))?;
        process.stop().map_err(|error| format!("{name}: {error}"))?;
        let start = Instant::now();
        self.run(at)?;
        self.await_member(at)?;
        let took = start.elapsed();
        self.await_healthy()?;
        Ok(took)
    }

    /// Waits until every member is healthy.
    pub(crate) fn await_healthy(&mut self) -> Result<(), Box<dyn Error>> {
        (0..MEMBERS).try_for_each(|at| self.await_member(at))
    }

    fn run(&mut self, at: usize) -> Result<(), Box<dyn Error>> {
        let member = &self.addresses[at];
        let data = self.folder.join(&member.name);
        let log = self.folder.join(format!("{}.log", member.name));
        let mut command = self.system.command(self.programs, member, &self.addresses, &data);
        self.processes[at] = Some(Process::start(&mut command, &log, &self.ground.janitor)?);
        Ok(())
    }

    fn await_member(&mut self, at: usize) -> Result<(), Box<dyn Error>> {
        let name = self.described(at);
        let process = self.processes[at].as_mut().ok_or_else(|| format!("{name} is stopped"))?;
        let deadline = Instant::now() + PATIENCE;
        while !health::is_healthy(self.addresses[at].client) {
            process.assert_running().map_err(|error| format!("{name}: {error}"))?;
            if Instant::now() >= deadline {
                let patience = PATIENCE.as_secs();
                return Err(format!("{name} has not been healthy for {patience} s").into());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn described(&self, at: usize) -> String {
        format!("{}'s member {}", self.system, self.addresses[at].name)
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        self.processes.clear();
        // What cannot be removed now goes with the ground.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Free ports of loopback for all members, all held until the last is found.
fn addresses() -> io::Result<Vec<Addresses>> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners: Vec<TcpListener> =
        (0..2 * MEMBERS).map(|_| TcpListener::bind(loopback)).collect::<Result<_, _>>()?;
    let pair = |(at, pair): (usize, &[TcpListener])| {
        let (client, peer) = (pair[0].local_addr()?, pair[1].local_addr()?);
        Ok(Addresses { name: format!("m{at}"), client, peer })
    };
    listeners.chunks(2).enumerate().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_members_share_an_address_or_a_name() {
        let all = addresses().unwrap();
        let ports: BTreeSet<SocketAddr> =
            all.iter().flat_map(|member| [member.client, member.peer]).collect();
        let names: BTreeSet<&String> = all.iter().map(|member| &member.name).collect();
        assert_eq!((all.len(), ports.len(), names.len()), (MEMBERS, 2 * MEMBERS, MEMBERS));
    }
}
