//! Links that carry some things and not others.
//!
//! A firewall that lets streams through and packets not looks like health to a failure detector
//! that asks both ways: upstream takes the answer over the stream and writes a line into its log,
//! and the half-deaf member goes on accusing everybody. Here such a link has a name that stays in
//! the status until a packet is answered again.

use alloc::collections::BTreeMap;

use super::table::Slot;

/// What is wrong with the way to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// It answers over streams, and to no packet: not ours, nor any helper's in time.
    StreamsOnly,
    /// It answers helpers, and not us.
    HelpersOnly,
}

/// How a probe was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    Helper,
    Stream,
}

/// Probes in a row that only helpers got answered, before that is more than a lost packet.
const IN_A_ROW: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Trouble {
    helped: u32,
    link: Option<Link>,
}

/// The links with trouble: few.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Links(BTreeMap<Slot, Trouble>);

impl Links {
    /// A probe was answered that way. Says what the link has become, if that is something else.
    #[allow(clippy::option_option, reason = "whether it changed, and what into")]
    pub(super) fn answered(&mut self, slot: Slot, way: Way) -> Option<Option<Link>> {
        let before = self.0.get(&slot).copied().unwrap_or(Trouble { helped: 0, link: None });
        let after = match way {
            Way::Direct => Trouble { helped: 0, link: None },
            Way::Helper => {
                let helped = before.helped + 1;
                let link = (helped >= IN_A_ROW).then_some(Link::HelpersOnly).or(before.link);
                Trouble { helped, link }
            }
            Way::Stream => Trouble { link: Some(Link::StreamsOnly), ..before },
        };
        if after.link.is_none() && after.helped == 0 {
            self.0.remove(&slot);
        } else {
            self.0.insert(slot, after);
        }
        (before.link != after.link).then_some(after.link)
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        self.0.remove(&slot);
    }

    /// Those with a name for their trouble.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, Link)> {
        self.0.iter().filter_map(|(&slot, trouble)| Some((slot, trouble.link?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_at_once_and_helpers_after_three() {
        let mut links = Links::default();
        let slot = Slot(3);
        assert_eq!(links.answered(slot, Way::Direct), None);
        assert_eq!(links.answered(slot, Way::Stream), Some(Some(Link::StreamsOnly)));
        assert_eq!(links.answered(slot, Way::Stream), None);
        assert_eq!(links.answered(slot, Way::Direct), Some(None));
        assert_eq!(links.answered(slot, Way::Helper), None);
        assert_eq!(links.answered(slot, Way::Helper), None);
        assert_eq!(links.answered(slot, Way::Helper), Some(Some(Link::HelpersOnly)));
        assert_eq!(links.iter().collect::<alloc::vec::Vec<_>>(), [(slot, Link::HelpersOnly)]);
        assert_eq!(links.answered(slot, Way::Direct), Some(None));
        assert_eq!(links.iter().count(), 0);
    }
}
