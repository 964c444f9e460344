//! A network of its own for each member, and a router between them that can forget a pair.
//!
//! ```text
//! member 0  10.77.0.2 ─┐
//! member 1  10.77.1.2 ─┼─ router, where the clients are: it has 10.77.N.1 towards each
//! member 2  10.77.2.2 ─┘
//! ```
//!
//! What a broken link loses vanishes without a word, as in a network: the router has a rule for
//! each direction that drops what it would pass on. Clients stand at the router, and are never cut
//! off.

use std::error::Error;
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::bench::janitor::Janitor;

/// All networks of a run. Dropped, they are removed; the janitor does it when the run is killed.
#[derive(Debug)]
pub(crate) struct Net<'a> {
    janitor: &'a Janitor,
    prefix: String,
    members: usize,
}

impl<'a> Net<'a> {
    /// Networks for so many members. This thread, and those that it starts, are at the router from
    /// then on.
    pub(crate) fn new(members: usize, janitor: &'a Janitor) -> Result<Self, Box<dyn Error>> {
        let prefix = format!("cb{}", std::process::id());
        let net = Self { janitor, prefix, members: 0 };
        let router = net.router();
        net.create(&router)?;
        let mut net = net;
        for at in 0..members {
            net.create(&net.member(at))?;
            net.members += 1;
            net.join(at)?;
        }
        ip(&["-n", &router, "link", "set", "lo", "up"])?;
        let space = File::open(format!("/run/netns/{router}"))?;
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
        run(Command::new("sysctl").args(["-q", "-w", "net.ipv4.ip_forward=1"]))?;
        Ok(net)
    }

    fn create(&self, name: &str) -> Result<(), Box<dyn Error>> {
        self.janitor.net(name)?;
        ip(&["netns", "add", name]).map_err(|error| {
            format!("{error}\nnetworks of their own need Linux, `ip` and the rights of root").into()
        })
    }

    fn router(&self) -> String {
        format!("{}r", self.prefix)
    }

    fn member(&self, at: usize) -> String {
        format!("{}m{at}", self.prefix)
    }

    fn join(&self, at: usize) -> Result<(), Box<dyn Error>> {
        let (router, member, port) = (self.router(), self.member(at), format!("v{at}"));
        let there = ["type", "veth", "peer", "name", "e0", "netns", &member];
        ip(&[&["link", "add", &port, "netns", &router][..], &there].concat())?;
        ip(&["-n", &member, "addr", "add", &format!("{}/24", host(at, 2)), "dev", "e0"])?;
        ip(&["-n", &router, "addr", "add", &format!("{}/24", host(at, 1)), "dev", &port])?;
        ip(&["-n", &member, "link", "set", "lo", "up"])?;
        ip(&["-n", &member, "link", "set", "e0", "up"])?;
        ip(&["-n", &router, "link", "set", &port, "up"])?;
        ip(&["-n", &member, "route", "add", "default", "via", &host(at, 1)])
    }

    /// Where a member listens.
    pub(crate) fn address(at: usize, port: u16) -> SocketAddr {
        let network = u8::try_from(at).expect("a run has few members");
        SocketAddr::from(([10, 77, network, 2], port))
    }

    /// The same command in a member's network.
    pub(crate) fn within(&self, at: usize, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.member(at)]);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Nothing passes between these two any more.
    pub(crate) fn cut(&self, one: usize, other: usize) -> Result<(), Box<dyn Error>> {
        let router = self.router();
        for (from, to) in [(one, other), (other, one)] {
            let (from, to) = (host(from, 2), host(to, 2));
            let rule = ["rule", "add", "pref", "10", "from", &from, "to", &to, "blackhole"];
            ip(&[&["-n", &router][..], &rule].concat())?;
        }
        Ok(())
    }

    /// Everything passes again.
    pub(crate) fn heal(&self) -> Result<(), Box<dyn Error>> {
        let router = self.router();
        // It fails once there is none left.
        while ip(&["-n", &router, "rule", "del", "pref", "10"]).is_ok() {}
        Ok(())
    }
}

impl Drop for Net<'_> {
    fn drop(&mut self) {
        for at in 0..self.members {
            let _ = ip(&["netns", "del", &self.member(at)]);
        }
        let _ = ip(&["netns", "del", &self.router()]);
    }
}

fn host(at: usize, number: u8) -> String {
    format!("10.77.{at}.{number}")
}

fn ip(words: &[&str]) -> Result<(), Box<dyn Error>> {
    run(Command::new("ip").args(words))
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", said.trim()).into())
}
