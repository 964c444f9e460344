//! Three of theirs and three of ours, each in a network of its own behind one router, which loses
//! packets in one direction: nobody is called dead, and ours know which link it is.

use std::process::Command;

use serde_json::Value;

use crate::support::agent::{Agent, Lists, Space, shows};
use crate::support::eventually;
use crate::support::serf::{Serf, find};

/// Networks with a router between them. Dropped, they are gone, and whoever lives in them must be
/// gone before.
struct Networks {
    router: String,
    spaces: Vec<String>,
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success())
}

impl Networks {
    /// `None` where this process may not make any.
    fn make(count: usize) -> Option<Self> {
        let router = format!("cncl{}r", std::process::id());
        if !ip(&["netns", "add", &router]) {
            return None;
        }
        let mut networks = Self { router, spaces: Vec::new() };
        let forward = ["netns", "exec", &networks.router, "sh", "-c"];
        let forward = [&forward[..], &["echo 1 > /proc/sys/net/ipv4/ip_forward"]].concat();
        if !ip(&forward) {
            return None;
        }
        (0..count).all(|at| networks.add(at)).then_some(networks)
    }

    fn add(&mut self, at: usize) -> bool {
        let (id, router) = (std::process::id(), &self.router);
        let name = format!("cncl{id}n{at}");
        let (inner, outer) = (format!("i{at}"), format!("o{at}"));
        let gate = format!("10.213.{at}.1");
        let (own, far) = (format!("10.213.{at}.2/24"), format!("{gate}/24"));
        let made = ip(&["netns", "add", &name]);
        self.spaces.push(name.clone());
        let link = ["link", "add", &inner, "netns", &name, "type", "veth", "peer", "name", &outer];
        made && ip(&[&link[..], &["netns", router]].concat())
            && ip(&["-n", &name, "addr", "add", &own, "dev", &inner])
            && ip(&["-n", router, "addr", "add", &far, "dev", &outer])
            && ip(&["-n", &name, "link", "set", "lo", "up"])
            && ip(&["-n", &name, "link", "set", &inner, "up"])
            && ip(&["-n", router, "link", "set", &outer, "up"])
            && ip(&["-n", &name, "route", "add", "default", "via", &gate])
    }

    fn space(&self, at: usize) -> Space {
        Space { net: Some((self.spaces[at].clone(), format!("10.213.{at}.2"))) }
    }

    /// Loses packets, and not streams, from one network to another; or does so no more.
    fn lose(&self, verb: &str, from: usize, to: usize) {
        let (from, to) = (format!("10.213.{from}.2"), format!("10.213.{to}.2"));
        let rule = ["-n", &self.router, "rule", verb, "from", &from, "to", &to];
        assert!(ip(&[&rule[..], &["ipproto", "udp", "blackhole"]].concat()));
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in self.spaces.iter().chain([&self.router]) {
            ip(&["netns", "del", name]);
        }
    }
}

fn links(agent: &Agent) -> Vec<(String, String)> {
    let pool: Value = serde_json::from_str(&agent.page("/v1/conclave/pool")).unwrap();
    let link = |link: &Value| {
        let text = |name: &str| link[name].as_str().unwrap().to_owned();
        (text("member"), text("fault"))
    };
    pool["broken_links"].as_array().unwrap().iter().map(link).collect()
}

#[test]
fn packets_lost_in_one_direction_kill_nobody_and_are_named() {
    let Some(program) = find() else { return };
    let Some(networks) = Networks::make(6) else {
        eprintln!("skipped: making networks needs to be root, and a system that lets it");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let first = "10.213.0.2:7946";
    let ours = |at: usize| {
        let extra = ["--join", first];
        let extra = if at == 0 { &[][..] } else { &extra[..] };
        Agent::start(&networks.space(at), dir, &format!("a{at}"), extra)
    };
    let theirs = |at: usize| {
        let join = format!("-join={first}");
        Serf::start(&program, &networks.space(at), dir, &format!("s{at}"), &[&join])
    };
    let (a, mut s) = ([ours(0), ours(1), ours(2)], [theirs(3), theirs(4), theirs(5)]);
    let names = ["a0", "a1", "a2", "s3", "s4", "s5"];
    let everybody = |s: &[Serf; 3]| {
        let all = a.iter().map(|a| a as &dyn Lists).chain(s.iter().map(|s| s as &dyn Lists));
        for at in all.collect::<Vec<_>>() {
            names.iter().for_each(|name| drop(shows(at, name, "alive")));
        }
    };
    everybody(&s);
    // Ours to theirs, theirs to ours, ours to ours.
    let lost = [(0, 3), (4, 1), (2, 0)];
    lost.iter().for_each(|(from, to)| networks.lose("add", *from, *to));
    // Whoever is not answered, or does not hear the answer, knows which link it is.
    for (at, other) in [(0, "s3"), (1, "s4"), (2, "a0"), (0, "a2")] {
        eventually(&format!("a{at} knows of its link to {other}"), || {
            links(&a[at]).iter().any(|(name, _)| name == other).then_some(())
        });
    }
    everybody(&s);
    let died = |log: &str, word: &str| log.lines().filter(|line| line.contains(word)).count();
    for agent in &a {
        assert_eq!(died(&agent.log(), "is gone"), 0, "{}", agent.log());
    }
    for serf in &s {
        assert_eq!(died(&serf.log(), "EventMemberFailed"), 0, "{}", serf.log());
    }
    // One that really dies is found in spite of it, by everybody who stays.
    s[2].kill();
    for at in &a {
        shows(at, "s5", "failed");
    }
    shows(&s[0], "s5", "failed");
    shows(&s[1], "s5", "failed");
    lost.iter().for_each(|(from, to)| networks.lose("del", *from, *to));
    for agent in &a {
        eventually("all links are whole again", || links(agent).is_empty().then_some(()));
    }
}
