//! Letters and files: what is written is read, nothing else is, and none is larger than it may be.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use protocol::bootstrap::Pledge;
use protocol::bully::message::{Body, Message, Terms};
use protocol::bully::wire::{
    ELECTORS_MAX, Group, LETTER_MAX, Letter, Says, decode, decode_durable, encode, encode_durable,
};
use protocol::bully::{Ballot, Durable, Electorate, Epoch, Rank, Shown, Version};
use protocol::{ClusterId, NodeId, Time};

fn ids(count: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = BTreeSet<NodeId>> {
    let ids = proptest::collection::btree_set(any::<u64>(), count);
    ids.prop_map(|ids| ids.into_iter().map(NodeId).collect())
}

fn electorate() -> impl Strategy<Value = Electorate> {
    let half = ELECTORS_MAX / 2;
    (any::<[u64; 3]>(), ids(1..=half), ids(0..=half)).prop_map(|(numbers, members, outgoing)| {
        let version = Version { epoch: Epoch(numbers[1]), number: numbers[2] };
        Electorate { group: ClusterId(numbers[0]), version, members, outgoing }
    })
}

fn rank() -> impl Strategy<Value = Rank> {
    any::<[u64; 3]>().prop_map(|[freshness, priority, id]| Rank {
        freshness,
        priority,
        id: NodeId(id),
    })
}

fn body() -> impl Strategy<Value = Body> {
    (0..11_u8, any::<[u64; 3]>(), any::<[bool; 2]>()).prop_map(|(kind, numbers, [one, two])| {
        let (epoch, sent) = (Epoch(numbers[0]), Time(numbers[1]));
        let lease = Duration::from_nanos(numbers[2]);
        let terms = Terms { epoch, sent, lease };
        match kind {
            0 => Body::Election,
            1 => Body::Alive,
            2 => Body::Victory,
            3 => Body::Ask,
            4 => Body::Answer { free: one, stands: two, seen: epoch },
            5 => Body::Claim(terms),
            6 => Body::Grant { epoch, sent },
            7 => Body::Refuse { epoch, ballot: Epoch(numbers[1]) },
            8 => Body::Renew(terms),
            9 => Body::Ack { epoch, sent, up: lease, stands: one },
            _ => Body::Release { epoch, successor: one.then_some(NodeId(numbers[2])) },
        }
    })
}

fn pledge() -> impl Strategy<Value = Option<Pledge>> {
    ids(0..=Pledge::MOST).prop_map(Pledge::new)
}

fn shown() -> impl Strategy<Value = Shown> {
    let expect = proptest::option::of(0..=255_usize);
    let group = proptest::option::of(any::<u64>().prop_map(ClusterId));
    (rank(), expect, pledge(), group).prop_map(|(rank, expect, pledge, group)| Shown {
        rank,
        expect,
        pledge,
        group,
    })
}

fn letter() -> impl Strategy<Value = Letter> {
    let message = (proptest::option::of(electorate()), rank(), body());
    let message = message.prop_map(|(electorate, rank, body)| Message { electorate, rank, body });
    let says = prop_oneof![
        3 => message.prop_map(Says::Message),
        1 => shown().prop_map(Says::Shown),
        1 => any::<u64>().prop_map(|id| Says::Gone(NodeId(id))),
    ];
    ("[a-zé -]{1,32}", says).prop_map(|(name, says)| {
        let group = Group::new(&name).unwrap();
        Letter { group, says }
    })
}

fn durable() -> impl Strategy<Value = Durable> {
    let ballot = any::<[u64; 3]>().prop_map(|[epoch, holder, lease]| Ballot {
        epoch: Epoch(epoch),
        holder: NodeId(holder),
        lease: Duration::from_nanos(lease),
    });
    (proptest::option::of(ballot), proptest::option::of(electorate()), pledge())
        .prop_map(|(ballot, electorate, pledge)| Durable { ballot, electorate, pledge })
}

proptest! {
    #[test]
    fn what_is_written_is_read(letter in letter()) {
        let bytes = encode(&letter).unwrap();
        prop_assert!(bytes.len() <= LETTER_MAX);
        prop_assert_eq!(decode(&bytes), Some(letter));
    }

    #[test]
    fn what_is_read_would_be_written_so(letter in letter(), at in any::<usize>(), to: u8) {
        let mut bytes = encode(&letter).unwrap();
        let at = at % bytes.len();
        bytes[at] = to;
        if let Some(other) = decode(&bytes) {
            prop_assert_eq!(encode(&other), Some(bytes));
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        let mut framed = vec![0xc0, 1, 1, b'g'];
        framed.extend_from_slice(&bytes);
        for bytes in [bytes, framed] {
            if let Some(letter) = decode(&bytes) {
                prop_assert_eq!(encode(&letter), Some(bytes));
            }
        }
    }

    #[test]
    fn an_end_that_is_missing_or_too_much_is_missed(letter in letter(), cut in any::<usize>()) {
        let mut bytes = encode(&letter).unwrap();
        prop_assert_eq!(decode(&bytes[..cut % bytes.len()]), None);
        bytes.push(0);
        prop_assert_eq!(decode(&bytes), None);
    }

    #[test]
    fn what_is_kept_comes_back(durable in durable(), cut in any::<usize>()) {
        let mut bytes = Vec::new();
        encode_durable(&durable, &mut bytes).unwrap();
        prop_assert_eq!(decode_durable(&bytes), Some(durable));
        prop_assert_eq!(decode_durable(&bytes[..cut % bytes.len()]), None);
    }
}

#[test]
fn an_electorate_that_is_too_large_is_not_written() {
    let of = |count: u64| Electorate::first((0..count).map(NodeId).collect());
    let letter = |electorate: Electorate| {
        let rank = Rank { freshness: 0, priority: 0, id: NodeId(1) };
        let says = Says::Message(Message { electorate: Some(electorate), rank, body: Body::Ask });
        Letter { group: Group::new(&"g".repeat(Group::MOST)).unwrap(), says }
    };
    let most = ELECTORS_MAX as u64;
    assert!(encode(&letter(of(most))).is_some());
    let outgoing = BTreeSet::from([NodeId(7)]);
    assert_eq!(encode(&letter(Electorate { outgoing, ..of(most) })), None);
    assert!(Group::new(&"g".repeat(Group::MOST + 1)).is_none());
    assert!(Group::new("").is_none() && Group::new("a\nb").is_none());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn letters_stay_readable_from_version_to_version() {
    let rank = Rank { freshness: 5, priority: 3, id: NodeId(0xa1) };
    let members = [NodeId(0xa1), NodeId(0xa2)].into_iter().collect();
    let version = Version { epoch: Epoch(7), number: 1 };
    let (group, outgoing) = (ClusterId(0xc), BTreeSet::new());
    let electorate = Electorate { group, version, members, outgoing };
    let terms = Terms { epoch: Epoch(7), sent: Time(256), lease: Duration::from_secs(1) };
    let pledge = Pledge::new([NodeId(0xa1)]);
    let shown = Shown { rank, expect: Some(3), pledge: pledge.clone(), group: Some(group) };
    let message = |electorate, body| Says::Message(Message { electorate, rank, body });
    let all = [
        Says::Shown(shown),
        Says::Gone(NodeId(0xa1)),
        message(None, Body::Victory),
        message(Some(electorate.clone()), Body::Renew(terms)),
    ];
    for (says, frozen) in all.into_iter().zip(LETTERS) {
        let letter = Letter { group: Group::new("web").unwrap(), says };
        assert_eq!(hex(&encode(&letter).unwrap()), frozen.concat(), "{letter:?}");
    }
    let ballot = Ballot { epoch: Epoch(7), holder: NodeId(0xa2), lease: Duration::from_secs(1) };
    let durable = Durable { ballot: Some(ballot), electorate: Some(electorate), pledge };
    let mut bytes = Vec::new();
    encode_durable(&durable, &mut bytes).unwrap();
    assert_eq!(hex(&bytes), DURABLE.concat());
}

const HEAD: &str = "c00103776562";
const RANK: &str = "05000000000000000300000000000000a100000000000000";
const ELECTORATE: &str = "010c0000000000000007000000000000000100000000000000\
                          02a100000000000000a20000000000000000";
/// On the wire since version 0.2.
const LETTERS: [[&str; 5]; 4] = [
    [HEAD, "00", RANK, "03030c00000000000000", "01a100000000000000"],
    [HEAD, "01", "a100000000000000", "", ""],
    [HEAD, "12", RANK, "00", ""],
    [HEAD, "18", RANK, ELECTORATE, "0700000000000000000100000000000000ca9a3b00000000"],
];
/// On disks since version 0.2.
const DURABLE: [&str; 3] =
    ["010700000000000000a20000000000000000ca9a3b00000000", ELECTORATE, "01a100000000000000"];
