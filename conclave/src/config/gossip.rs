//! The settings of the pool, and from them its configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use protocol::bully::wire::Group;
use server::Agent;
use server::elections::{GroupSettings, Wish};
use server::gossip::{Key, Policy, Profile, Settings as Pool};

use crate::failure::{Failure, Result};

/// Timers that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GossipProfile {
    /// For a local network.
    Lan,
    /// For links across sites.
    Wan,
    /// For one machine.
    Local,
}

/// What may be set of the pool. `None` and an empty list leave it to the next layer.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Gossip {
    /// Where others of the pool may be; tried until somebody answers.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', value_parser = place)]
    pub(crate) join: Vec<String>,
    /// Where this agent listens for the pool, UDP and TCP [default: 127.0.0.1:7946].
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen_gossip: Option<SocketAddr>,
    /// Where the others of the pool reach it [default: that of --listen-gossip].
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) advertise_gossip: Option<SocketAddr>,
    /// Where the agent's own API listens; on loopback [default: 127.0.0.1:8500].
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen_http: Option<SocketAddr>,
    /// The timers of the pool, the same ones for all of its members [default: lan].
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(crate) gossip_profile: Option<GossipProfile>,
    /// What this agent says of itself in the pool.
    #[arg(long, value_name = "NAME=VALUE,…", value_delimiter = ',', value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,
    /// Groups that this agent elects in from its start, with or without a program; `conclave elect`
    /// has more of it.
    #[arg(long, visible_alias = "group", value_name = "NAME:expect=N,…", value_parser = groups)]
    pub(crate) groups: Vec<Groups>,
    /// The pool's label: pools with different ones never mix. Serf before 2022 knows none.
    #[arg(long, value_name = "TEXT")]
    pub(crate) gossip_label: Option<String>,
    /// The pool's key: 16, 24 or 32 bytes in base64. Kept in the data directory, where later keys
    /// replace it.
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) encrypt: Option<Key>,
    /// Refuse what is not encrypted. Off, together with the next one, while a living pool gets its
    /// first key [default: true].
    #[arg(long, value_name = "BOOL")]
    pub(crate) encrypt_verify_incoming: Option<bool>,
    /// Encrypt what is sent [default: true].
    #[arg(long, value_name = "BOOL")]
    pub(crate) encrypt_verify_outgoing: Option<bool>,
    /// Compress what is sent [default: true].
    #[arg(long, value_name = "BOOL")]
    pub(crate) gossip_compress: Option<bool>,
}

impl Gossip {
    /// These settings, and those of `below` where these say nothing.
    pub(super) fn over(self, below: Gossip) -> Gossip {
        let list = |own: Vec<_>, below: Vec<_>| if own.is_empty() { below } else { own };
        Gossip {
            join: if self.join.is_empty() { below.join } else { self.join },
            listen_gossip: self.listen_gossip.or(below.listen_gossip),
            advertise_gossip: self.advertise_gossip.or(below.advertise_gossip),
            listen_http: self.listen_http.or(below.listen_http),
            gossip_profile: self.gossip_profile.or(below.gossip_profile),
            tag: list(self.tag, below.tag),
            groups: if self.groups.is_empty() { below.groups } else { self.groups },
            gossip_label: self.gossip_label.or(below.gossip_label),
            encrypt: self.encrypt.or(below.encrypt),
            encrypt_verify_incoming: self.encrypt_verify_incoming.or(below.encrypt_verify_incoming),
            encrypt_verify_outgoing: self.encrypt_verify_outgoing.or(below.encrypt_verify_outgoing),
            gossip_compress: self.gossip_compress.or(below.gossip_compress),
        }
    }

    /// Whether a server is told to take part.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.listen_gossip.is_some() || !self.join.is_empty()
    }

    /// Where the agent's own API listens.
    pub(crate) fn http(&self) -> SocketAddr {
        let default = SocketAddr::from(([127, 0, 0, 1], Agent::HTTP_PORT));
        self.listen_http.unwrap_or(default)
    }

    /// The member of the pool that these settings make, under this name, or that of the machine.
    pub(crate) fn pool(self, name: Option<String>, data_dir: Option<PathBuf>) -> Result<Pool> {
        let name = name.unwrap_or_else(machine);
        let default = Pool::single(&name);
        let label = self.gossip_label.unwrap_or_default();
        let label = protocol::swim::Label::new(label.into());
        let policy = Policy {
            label: label.ok_or_else(|| Failure::usage("--gossip-label has at most 255 bytes"))?,
            verify_incoming: self.encrypt_verify_incoming.unwrap_or(true),
            verify_outgoing: self.encrypt_verify_outgoing.unwrap_or(true),
            compress: self.gossip_compress.unwrap_or(true),
        };
        Ok(Pool {
            listen: self.listen_gossip.unwrap_or(default.listen),
            advertise: self.advertise_gossip,
            data_dir,
            profile: match self.gossip_profile {
                Some(GossipProfile::Lan) | None => Profile::Lan,
                Some(GossipProfile::Wan) => Profile::Wan,
                Some(GossipProfile::Local) => Profile::Local,
            },
            tags: self.tag.into_iter().collect(),
            policy,
            key: self.encrypt,
            groups: self.groups.into_iter().flat_map(|groups| groups.0).collect(),
            join: self.join,
            ..default
        })
    }
}

/// The machine's name, which is most often one of a kind.
pub(crate) fn machine() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    if name.is_empty() { "default".to_owned() } else { name.into_owned() }
}

fn place(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no place such as 10.0.0.1:7946 or [::1]:7946");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let v6_bare = host.contains(':') && !host.starts_with('[');
    if host.is_empty() || v6_bare || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err(format!("{text:?} is no tag such as role=web")),
    }
}

/// Groups, and what is said of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Groups(Vec<(Group, Wish)>);

/// Reads `NAME:expect=3,rank=10`, or several of them with commas between.
fn groups(text: &str) -> Result<Groups, String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for word in text.split(',') {
        match (word.split_once(':'), groups.last_mut()) {
            (Some((name, first)), _) => groups.push((name, vec![first])),
            (None, Some((_, words))) => words.push(word),
            (None, None) => return Err(format!("{text:?} is no group such as web:expect=3")),
        }
    }
    let read = |(name, words): (&str, Vec<&str>)| {
        let group = Group::new(name);
        let group = group.ok_or_else(|| format!("{name:?} is no name of a group"))?;
        let wish = Wish::parse(&words.join(","))?;
        GroupSettings::of(&wish)?;
        Ok::<_, String>((group, wish))
    };
    groups.into_iter().map(read).collect::<Result<_, _>>().map(Groups)
}

fn key(text: &str) -> Result<Key, String> {
    Key::from_base64(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_port_and_tags_a_name() {
        assert_eq!(place("[::1]:7946").as_deref(), Ok("[::1]:7946"));
        assert_eq!(place("host.example:1").as_deref(), Ok("host.example:1"));
        for wrong in ["host", ":1", "::1", "::1:7946", "host:x", "host:70000"] {
            assert!(place(wrong).unwrap_err().contains("is no place"), "{wrong}");
        }
        assert_eq!(tag("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(tag("a="), Ok(("a".to_owned(), String::new())));
        for wrong in ["a", "=b", ""] {
            assert!(tag(wrong).is_err(), "{wrong}");
        }
        let two = groups("a:expect=3,rank=1,b:electors=x+y").unwrap().0;
        let told: Vec<String> = two.iter().map(|(name, wish)| format!("{name} {wish}")).collect();
        assert_eq!(told, ["a expect=3,rank=1", "b electors=x+y"]);
        for wrong in ["a", "a:", ":expect=3", "a:expect=3,b", "a:size=1"] {
            assert!(groups(wrong).is_err(), "{wrong}");
        }
        assert!(key("short").unwrap_err().contains("openssl rand"));
    }

    #[test]
    fn without_settings_it_is_a_member_on_loopback_by_the_name_of_the_machine() {
        let gossip = Gossip::default();
        assert!(!gossip.is_asked_for());
        assert_eq!(gossip.http(), "127.0.0.1:8500".parse().unwrap());
        let pool = gossip.pool(None, None).unwrap();
        assert_eq!(pool.listen, "127.0.0.1:7946".parse().unwrap());
        assert!(!pool.name.is_empty());
        let gossip_label = Some("x".repeat(256));
        let long = Gossip { gossip_label, ..Gossip::default() }.pool(None, None).unwrap_err();
        assert!(long.text().contains("255"));
    }
}
