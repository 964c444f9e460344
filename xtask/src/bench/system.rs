//! The two systems that are compared, and how a member of each is started.
//!
//! Both run with their defaults, except for what three members on one machine need, and etcd's
//! quota: at its default of 2 GiB a long run would end in an alarm.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How large etcd's database may grow: what its documentation calls the suggested maximum.
const ETCD_QUOTA_BYTES: u64 = 8 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Conclave,
    Etcd,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) conclave: PathBuf,
    pub(crate) etcd: PathBuf,
}

/// Where a member is reached, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) name: String,
    pub(crate) client: SocketAddr,
    pub(crate) peer: SocketAddr,
}

impl System {
    /// The order in which slices alternate.
    pub(crate) const BOTH: [Self; 2] = [Self::Conclave, Self::Etcd];

    /// What starts the member with these addresses, out of all members, on a data folder.
    pub(crate) fn command(
        self,
        programs: &Programs,
        member: &Addresses,
        all: &[Addresses],
        data: &Path,
    ) -> Command {
        let scheme = match self {
            Self::Conclave => "",
            Self::Etcd => "http://",
        };
        let url = |address: SocketAddr| format!("{scheme}{address}");
        let cluster: Vec<String> =
            all.iter().map(|member| format!("{}={}", member.name, url(member.peer))).collect();
        let (client, peer) = (url(member.client), url(member.peer));
        let mut command = clean(self.program(programs));
        match self {
            Self::Conclave => {
                command.args(["agent", "--server"]);
                command.args(["--listen-client", &client, "--listen-peer", &peer]);
            }
            Self::Etcd => {
                command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
                command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
                command.args(["--quota-backend-bytes", &ETCD_QUOTA_BYTES.to_string()]);
            }
        }
        command.args(["--name", &member.name, "--initial-cluster", &cluster.join(",")]);
        command.arg("--data-dir").arg(data);
        command
    }

    fn program(self, programs: &Programs) -> &Path {
        match self {
            Self::Conclave => &programs.conclave,
            Self::Etcd => &programs.etcd,
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Conclave => "conclave",
            Self::Etcd => "etcd",
        })
    }
}

/// A program without settings from our environment, which would count for one system alone.
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("CONCLAVE_") || shown.starts_with("ETCD") {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_told_the_same_addresses_each_in_its_own_words() {
        let member = |at: u16| Addresses {
            name: format!("m{at}"),
            client: SocketAddr::from(([127, 0, 0, 1], 1000 + at)),
            peer: SocketAddr::from(([127, 0, 0, 1], 2000 + at)),
        };
        let all = [member(0), member(1)];
        let programs = Programs { conclave: "c".into(), etcd: "e".into() };
        let words = |system: System| {
            let command = system.command(&programs, &all[1], &all, Path::new("d"));
            let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        let ours = words(System::Conclave);
        assert!(ours.contains("--initial-cluster m0=127.0.0.1:2000,m1=127.0.0.1:2001"), "{ours}");
        assert!(ours.contains("--listen-client 127.0.0.1:1001"), "{ours}");
        let theirs = words(System::Etcd);
        let cluster = "--initial-cluster m0=http://127.0.0.1:2000,m1=http://127.0.0.1:2001";
        assert!(theirs.contains(cluster), "{theirs}");
        assert!(theirs.contains("--advertise-client-urls http://127.0.0.1:1001"), "{theirs}");
        for words in [ours, theirs] {
            assert!(words.contains("--name m1") && words.ends_with("--data-dir d"), "{words}");
        }
    }
}
