//! A pledge: the servers that somebody is ready to found a group with.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::NodeId;

/// A set of servers, in ascending order of their ids. Laws:
///
/// - nobody is named twice, and somebody is;
/// - the order of pledges is total: that of their lists of ids.
///
/// As text it is the ids in hexadecimal, of sixteen digits each, with commas between them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pledge(Vec<NodeId>);

impl Pledge {
    /// Whom one pledge can name, where it is told in messages.
    pub const MOST: usize = 16;
    /// Servers that one pledge can name: all of them have to fit into the tags of a member.
    pub const MOST_SERVERS: usize = 9;

    /// The pledge that names these, each once; `None` when that is nobody, or too many.
    #[must_use]
    pub fn new(servers: impl IntoIterator<Item = NodeId>) -> Option<Self> {
        let mut servers: Vec<NodeId> = servers.into_iter().collect();
        servers.sort_unstable();
        servers.dedup();
        (1..=Self::MOST).contains(&servers.len()).then_some(Self(servers))
    }

    /// Reads what [`fmt::Display`] has written, with or without the zeros in front of an id; `None`
    /// when it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        let id = |id: &str| {
            let is_one = (1..=16).contains(&id.len()) && id.bytes().all(digit);
            u64::from_str_radix(id, 16).ok().filter(|_| is_one).map(NodeId)
        };
        let ids = text.split(',').map(id).collect::<Option<Vec<NodeId>>>()?;
        let ascends = ids.is_sorted_by(|one, next| one < next);
        Self::new(ids).filter(|_| ascends)
    }

    /// Whether it names this server.
    #[must_use]
    pub fn names(&self, server: NodeId) -> bool {
        self.0.binary_search(&server).is_ok()
    }

    /// Whom it names, in ascending order.
    #[must_use]
    pub fn servers(&self) -> &[NodeId] {
        &self.0
    }

    /// How many it names: the size of the group that it would found.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Whether somebody is named by both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().any(|server| other.names(*server))
    }
}

impl fmt::Display for Pledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.0.iter().map(|id| alloc::format!("{:016x}", id.0)).collect();
        f.write_str(&ids.join(","))
    }
}

impl fmt::Debug for Pledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pledge_reads_what_it_writes_and_nothing_else() {
        let pledge = Pledge::new([NodeId(0xbeef), NodeId(2), NodeId(2)]).unwrap();
        let text = "0000000000000002,000000000000beef";
        assert_eq!(alloc::format!("{pledge}"), text);
        for text in [text, "2,beef", "02,000000000000beef"] {
            assert_eq!(Pledge::parse(text), Some(pledge.clone()), "{text}");
        }
        let long = "00000000000000002,beef";
        for other in ["", ",", "2,", "beef,2", "2,02", "2,2", "2, beef", "g", "+2", "2,BEEF", long]
        {
            assert_eq!(Pledge::parse(other), None, "{other:?}");
        }
        assert_eq!(Pledge::new((0..17).map(NodeId)), None);
    }

    #[test]
    fn the_order_is_that_of_the_lists() {
        let of = |ids: &[u64]| Pledge::new(ids.iter().copied().map(NodeId)).unwrap();
        assert!(of(&[1, 2]) < of(&[1, 3]) && of(&[1, 3]) < of(&[2, 3]) && of(&[1]) < of(&[1, 2]));
        assert!(of(&[1, 2]).meets(&of(&[2, 3])) && !of(&[1, 2]).meets(&of(&[3, 4])));
    }
}
