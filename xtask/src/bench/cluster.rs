//! Three members of one system, as processes on loopback with fresh data.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
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

    /// Starts a process that ends with the run, what it prints in the file `name`.
    pub(crate) fn start(
        &self,
        command: &mut Command,
        name: &str,
    ) -> Result<Process<'_>, Box<dyn Error>> {
        Process::start(command, &self.path().join(name), &self.janitor)
    }
}

/// The members. Dropped, their processes are killed and their data are removed.
pub(crate) struct Cluster<'a> {
    pub(crate) system: System,
    programs: &'a Programs,
    ground: &'a Ground,
    addresses: Vec<Addresses>,
    folder: PathBuf,
    /// What each member is told beside its addresses.
    words: Vec<String>,
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
        let mut cluster = Self::prepare(system, programs, ground, &system.to_string(), &[])?;
        cluster.begin(client)?;
        Ok(cluster)
    }

    /// Gives them addresses and folders, and starts none. Each is told `words` when it starts.
    pub(crate) fn prepare(
        system: System,
        programs: &'a Programs,
        ground: &'a Ground,
        name: &str,
        words: &[&str],
    ) -> Result<Self, Box<dyn Error>> {
        let folder = ground.path().join(name);
        let addresses = addresses()?;
        for member in &addresses {
            fs::create_dir_all(folder.join(&member.name))?;
        }
        let processes = addresses.iter().map(|_| None).collect();
        let words = words.iter().map(ToString::to_string).collect();
        Ok(Self { system, programs, ground, addresses, folder, words, processes })
    }

    /// Starts all, and waits until they are healthy and one leads.
    pub(crate) fn begin(&mut self, client: &Client) -> Result<(), Box<dyn Error>> {
        for at in 0..self.addresses.len() {
            self.run(at)?;
        }
        self.await_healthy()?;
        self.await_leader(client).map(drop)
    }

    /// Waits until one leads, and tells which.
    pub(crate) fn await_leader(&self, client: &Client) -> Result<usize, Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(leader) = self.leader(client)? {
                return Ok(leader);
            }
            if Instant::now() >= deadline {
                return Err(format!("no member of {} leads", self.system).into());
            }
        }
    }

    /// Starts one more, which the others have been told of, and returns its place.
    pub(crate) fn join(&mut self, newcomer: Addresses) -> Result<usize, Box<dyn Error>> {
        fs::create_dir_all(self.folder.join(&newcomer.name))?;
        self.addresses.push(newcomer);
        self.processes.push(None);
        let at = self.processes.len() - 1;
        self.words.extend(["--initial-cluster-state".into(), "existing".into()]);
        self.run(at)?;
        Ok(at)
    }

    pub(crate) fn addresses(&self) -> &[Addresses] {
        &self.addresses
    }

    /// Where a member has its data, below the folder that is its own.
    pub(crate) fn data(&self, at: usize) -> PathBuf {
        self.folder.join(&self.addresses[at].name).join("data")
    }

    pub(crate) fn process(&self, at: usize) -> Result<&Process<'a>, Box<dyn Error>> {
        Ok(self.processes[at]
            .as_ref()
            .ok_or_else(|| format!("{} is stopped", self.described(at)))?)
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
        (0..self.addresses.len()).try_for_each(|at| self.await_member(at))
    }

    /// Ends all of them. Their data stay until this is dropped.
    pub(crate) fn stop(&mut self) {
        self.processes.clear();
    }

    fn run(&mut self, at: usize) -> Result<(), Box<dyn Error>> {
        let member = &self.addresses[at];
        let data = self.data(at);
        let log = self.folder.join(format!("{}.log", member.name));
        let mut command = self.system.command(self.programs, member, &self.addresses, &data);
        command.args(&self.words);
        self.processes[at] = Some(Process::start(&mut command, &log, &self.ground.janitor)?);
        Ok(())
    }

    pub(crate) fn await_member(&mut self, at: usize) -> Result<(), Box<dyn Error>> {
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

/// Free ports of loopback for one more.
pub(crate) fn newcomer(name: &str) -> io::Result<Addresses> {
    let [one, ..] = &addresses()?[..] else { unreachable!("there are addresses for {MEMBERS}") };
    Ok(Addresses { name: name.to_owned(), ..one.clone() })
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
