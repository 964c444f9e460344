//! Backups: saved by each system's own command, restored to three members, and held against the
//! cluster that they are of.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::super::system::{self, System};
use super::{Bench, timed};

/// Of the new cluster, so that it is not the old one.
const TOKEN: &str = "restored";

/// Each system's commands.
pub(super) struct Tools<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) system: System,
    pub(super) etcdctl: &'a Path,
}

/// A backup.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    file: PathBuf,
    pub(super) bytes: u64,
    pub(super) revision: u64,
}

impl Tools<'_> {
    /// Saves a backup from a member.
    pub(super) fn save(&self, endpoint: &str) -> Result<Backup, Box<dyn Error>> {
        let file = self.bench.ground.path().join(format!("{}.backup", self.system));
        let path = file.to_string_lossy();
        let revision = match self.system {
            System::Conclave => {
                let saved = self.bench.client.ask(endpoint, &["snapshot", "save", &path])?;
                saved["revision"].as_u64()
            }
            System::Etcd => {
                self.etcdctl(endpoint, &["snapshot", "save", &path])?;
                self.etcdctl(endpoint, &["snapshot", "status", &path])?["revision"].as_u64()
            }
        };
        let revision = revision.ok_or("the backup does not tell its revision")?;
        Ok(Backup { bytes: fs::metadata(&file)?.len(), file, revision })
    }

    /// Makes a member's folder out of a backup.
    fn restore(&self, backup: &Backup, words: &[&str]) -> Result<(), Box<dyn Error>> {
        let file = backup.file.to_string_lossy();
        let mut command = match self.system {
            System::Conclave => system::clean(&self.bench.programs.conclave),
            System::Etcd => system::clean(self.etcdctl),
        };
        command.env("ETCDCTL_API", "3").args(["snapshot", "restore", &file]).args(words);
        said(&mut command).map(drop)
    }

    /// etcd's hash of all keys and their history up to a revision, which both systems have.
    pub(super) fn hash(&self, endpoint: &str, revision: u64) -> Result<u64, Box<dyn Error>> {
        let answer =
            self.etcdctl(endpoint, &["endpoint", "hashkv", "--rev", &revision.to_string()])?;
        let hash = answer[0]["HashKV"]["hash"].as_u64();
        Ok(hash.ok_or_else(|| format!("`endpoint hashkv` says what we do not read: {answer}"))?)
    }

    fn etcdctl(&self, endpoint: &str, words: &[&str]) -> Result<Value, Box<dyn Error>> {
        let mut command = system::clean(self.etcdctl);
        command.env("ETCDCTL_API", "3").args(words);
        command.args(["--endpoints", endpoint, "--command-timeout", "300s", "-w", "json"]);
        let said = said(&mut command)?;
        // `snapshot save` speaks to people whatever it is told.
        Ok(serde_json::from_slice(&said).unwrap_or_default())
    }
}

/// Restores to three members, starts them, and compares.
pub(super) fn measure(tools: &Tools<'_>, backup: &Backup, hash: u64) -> Result<(), Box<dyn Error>> {
    let (bench, system) = (tools.bench, tools.system);
    let words = match system {
        System::Conclave => ["--cluster-token", TOKEN],
        System::Etcd => ["--initial-cluster-token", TOKEN],
    };
    let mut cluster = bench.cluster(system, &format!("{system}-restored"), &words)?;
    let scheme = if system == System::Etcd { "http://" } else { "" };
    let all: Vec<String> = cluster
        .addresses()
        .iter()
        .map(|member| format!("{}={scheme}{}", member.name, member.peer))
        .collect();
    let all = all.join(",");
    let mut times: Vec<Duration> = Vec::new();
    for (at, member) in cluster.addresses().iter().enumerate() {
        let (data, peer) = (cluster.data(at), format!("http://{}", member.peer));
        let data = data.to_string_lossy();
        let mut words = vec!["--name", &member.name, "--data-dir", &data];
        words.extend(["--initial-cluster", &all, "--initial-cluster-token", TOKEN]);
        if system == System::Etcd {
            words.extend(["--initial-advertise-peer-urls", &peer]);
        }
        let ((), took) = timed(|| tools.restore(backup, &words))?;
        times.push(took);
    }
    let ((), started) = timed(|| cluster.begin(bench.client))?;
    println!(
        "restored on each of three in {times:.1?}; the new cluster is healthy {started:.1?} later"
    );
    for member in cluster.addresses() {
        let restored = tools.hash(&member.client.to_string(), backup.revision)?;
        if restored != hash {
            let Backup { revision, .. } = backup;
            return Err(format!("at revision {revision} {hash} became {restored}").into());
        }
    }
    let keys = bench.client.count(&cluster.endpoints())?;
    println!(
        "equal: HashKV at revision {} is {hash} in the old cluster and on all three; {keys} keys",
        backup.revision
    );
    Ok(())
}

/// What a command prints; its failure is an error with its words.
fn said(command: &mut Command) -> Result<Vec<u8>, Box<dyn Error>> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{shown}: {}: {}", output.status, said.trim()).into())
}
