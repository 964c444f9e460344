//! What servers show of themselves in the pool.
//!
//! | tag | value |
//! |---|---|
//! | `role` | `server` |
//! | `seat` | the id that follows from name, peer address and token |
//! | `name` | its name, when its agent has another one in the pool |
//! | `peer` | where peers reach it, `host:port` |
//! | `client` | where clients reach it, a URL |
//! | `expect` | how many found the group; not of a server with a static list |
//! | `pledge` | the seats that it has pledged to found a group with |
//! | `cluster` | the id of the cluster that it belongs to |
//! | `id` | its id there |
//!
//! Ids are in hexadecimal, sixteen digits as everywhere else; fewer are read as well.
//!
//! Whatever cannot be read makes a member none of the servers that are heeded: anybody may join a
//! pool. Of a server these names are its own: what operators say of it has others.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::bootstrap::{Pledge, Seat, Shown, Sighting};
use protocol::swim::message::Facts;
use protocol::swim::serf::Tags;
use protocol::{ClusterId, NodeId};

use crate::config::InitialMember;
use crate::gossip::tags_of;
use crate::runtime::member_id;

const ROLE: &str = "role";
const SEAT: &str = "seat";
/// The tags of a server.
const NAMES: [&str; 9] =
    [ROLE, SEAT, "name", "peer", "client", "expect", "pledge", "cluster", "id"];

/// Whether a tag is one by which a member with these tags shows itself as a server.
pub(crate) fn is_reserved(tags: &Tags, name: &str) -> bool {
    let is_server = tags.0.get(ROLE.as_bytes()).is_some_and(|role| role == "server");
    is_server && tags.0.contains_key(SEAT.as_bytes()) && NAMES.contains(&name)
}

/// What a server says of itself, whatever it has pledged.
#[derive(Clone, Debug)]
pub(super) struct Card {
    /// What its agent says besides.
    pub(super) others: BTreeMap<String, String>,
    pub(super) seat: Seat,
    /// The agent's name in the pool.
    pub(super) known_as: String,
    pub(super) client: String,
    pub(super) expect: Option<usize>,
    /// Its id in its cluster.
    pub(super) id: Option<NodeId>,
}

/// Another server, as its tags have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) sighting: Sighting,
    /// Its id in its cluster.
    pub(super) id: Option<NodeId>,
    /// Whether its seat follows from this cluster's token.
    pub(super) has_token: bool,
}

impl Card {
    /// Keeps what its agent says besides by now, which operators may have changed.
    pub(super) fn keep(&mut self, tags: &Tags) {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let pairs = tags.0.iter().map(|(name, value)| (text(name), text(value)));
        self.others = pairs.filter(|(name, _)| !NAMES.contains(&name.as_str())).collect();
    }

    /// The tags.
    pub(super) fn tags(&self, shown: &Shown) -> Tags {
        let mut tags = self.others.clone();
        let mut set = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                tags.insert(name.to_owned(), value);
            }
        };
        set("role", Some("server".to_owned()));
        set("seat", Some(hexadecimal(self.seat.id.0)));
        let is_other = self.known_as != self.seat.name;
        set("name", is_other.then(|| self.seat.name.clone()));
        set("peer", Some(self.seat.peer.clone()));
        set("client", Some(self.client.clone()));
        set("expect", self.expect.map(|expect| expect.to_string()));
        set("pledge", shown.pledge.as_ref().map(ToString::to_string));
        set("cluster", shown.cluster.map(|cluster| hexadecimal(cluster.0)));
        set("id", self.id.map(|id| hexadecimal(id.0)));
        Tags(tags.into_iter().map(|(name, value)| (Bytes::from(name), value.into())).collect())
    }
}

fn hexadecimal(id: u64) -> String {
    format!("{id:016x}")
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// Who is reached at this address under this name.
pub(super) fn seat(name: &str, peer: &str, token: &str) -> Seat {
    let member = InitialMember { name: name.to_owned(), peer: peer.to_owned() };
    Seat { id: member_id(&member, token), name: member.name, peer: member.peer }
}

/// The server that a member of the pool is; `None` when it is none, or says what makes no sense.
pub(super) fn server_of(facts: &Facts, token: &str) -> Option<Server> {
    let tags: BTreeMap<String, String> = tags_of(facts).into_iter().collect();
    let get = |name: &str| tags.get(name).map(String::as_str);
    if get("role") != Some("server") {
        return None;
    }
    let known_as = facts.name.to_string();
    let seat = seat(get("name").unwrap_or(&known_as), get("peer")?, token);
    let has_token = get("seat").and_then(number) == Some(seat.id.0);
    let read = |name: &str| match get(name) {
        None => Some(None),
        Some(text) => number(text).map(Some),
    };
    let cluster = read("cluster")?.map(ClusterId);
    let id = read("id")?.map(NodeId);
    let expect = match get("expect") {
        None => None,
        Some(text) => Some(text.parse().ok()?),
    };
    let pledge = match get("pledge") {
        None => None,
        Some(text) => Some(Pledge::parse(text)?),
    };
    let sighting = Sighting { seat, expect, shown: Shown { pledge, cluster } };
    Some(Server { sighting, id, has_token })
}

#[cfg(test)]
mod tests {
    use protocol::swim::message::Vsn;

    use super::*;

    fn facts(name: &str, tags: &Tags) -> Facts {
        Facts {
            name: name.into(),
            addr: [127, 0, 0, 1].into(),
            port: 7946,
            meta: tags.encode(),
            vsn: Vsn::SERF,
        }
    }

    fn card(expect: usize) -> Card {
        Card {
            others: BTreeMap::from([("rack".to_owned(), "r7".to_owned())]),
            seat: seat("n1", "192.168.100.101:2380", "t"),
            known_as: "n1".to_owned(),
            client: "http://192.168.100.101:2379".to_owned(),
            expect: Some(expect),
            id: Some(NodeId(u64::MAX)),
        }
    }

    #[test]
    fn what_a_server_shows_is_what_others_see() {
        let own = seat("n1", "192.168.100.101:2380", "t");
        let pledge = Pledge::new([own.id, NodeId(5)]);
        let shown = Shown { pledge, cluster: Some(ClusterId(0xc)) };
        let tags = card(2).tags(&shown);
        let seen = server_of(&facts("n1", &tags), "t").unwrap();
        assert_eq!(seen.sighting, Sighting { seat: own, expect: Some(2), shown });
        assert_eq!((seen.id, seen.has_token), (Some(NodeId(u64::MAX)), true));
        assert!(!server_of(&facts("n1", &tags), "u").unwrap().has_token);
        assert!(!server_of(&facts("n2", &tags), "t").unwrap().has_token);
        assert!(tags.0.contains_key(&Bytes::from("rack")));
    }

    #[test]
    fn ids_have_sixteen_digits_and_fewer_are_read_as_well() {
        let card = Card { id: Some(NodeId(0xb)), ..card(2) };
        let shown = Shown { pledge: Pledge::new([NodeId(5)]), cluster: Some(ClusterId(0xc)) };
        let tags = card.tags(&shown);
        let text = |name: &'static str| tags.0[name.as_bytes()].clone();
        assert_eq!(text("id"), "000000000000000b");
        assert_eq!(text("cluster"), "000000000000000c");
        assert_eq!(text("pledge"), "0000000000000005");
        assert_eq!(text("seat").len(), 16);
        let mut short = tags.clone();
        for (name, value) in [("id", "b"), ("cluster", "c"), ("pledge", "5")] {
            short.0.insert(Bytes::from(name), Bytes::from(value));
        }
        let (long, short) = (facts("n1", &tags), facts("n1", &short));
        let seen = server_of(&long, "t").unwrap();
        assert!(seen.has_token && seen.sighting.shown == shown);
        assert_eq!(server_of(&short, "t"), Some(seen));
    }

    #[test]
    fn what_operators_say_of_a_server_stays_and_is_not_what_it_says_itself() {
        let mut card = card(2);
        let mut tags = card.tags(&Shown::default());
        tags.0.insert(Bytes::from("rack"), Bytes::from("r8"));
        tags.0.insert(Bytes::from("zone"), Bytes::from("z"));
        card.keep(&tags);
        assert_eq!(card.tags(&Shown::default()), tags);
        for name in NAMES {
            assert!(is_reserved(&tags, name) && !is_reserved(&Tags::default(), name), "{name}");
        }
        assert!(!is_reserved(&tags, "rack"));
    }

    #[test]
    fn what_makes_no_sense_is_no_server() {
        let tags = card(2).tags(&Shown::default());
        for (name, value) in
            [("role", "agent"), ("pledge", "x"), ("cluster", ""), ("expect", "-1"), ("id", "g")]
        {
            let mut tags = tags.clone();
            tags.0.insert(Bytes::from(name), Bytes::from(value));
            assert_eq!(server_of(&facts("n1", &tags), "t"), None, "{name}={value}");
        }
    }

    #[test]
    fn the_largest_pledge_fits_into_the_tags() {
        let ids = (0..Pledge::MOST_SERVERS as u64).map(|id| NodeId(u64::MAX - id));
        let shown = Shown { pledge: Pledge::new(ids), cluster: Some(ClusterId(u64::MAX)) };
        let bytes = card(Pledge::MOST_SERVERS).tags(&shown).encode().len();
        assert!(bytes <= Tags::META_MAX - 80, "{bytes} bytes leave too few for other tags");
    }
}
