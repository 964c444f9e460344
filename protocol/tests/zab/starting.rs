//! May a node start, and what it is told when not.

use protocol::zab::{Config, Entry, Epochs, Payload, Restored, StartError, Zab};
use protocol::{Index, Position, Term};

use crate::world::{World, brisk, id};

fn config() -> Config {
    World::new(1, 3, 1, &brisk()).hosts[&id(1)].config.clone()
}

fn epochs(accepted: u64, current: u64) -> Epochs {
    Epochs { accepted: Term(accepted), current: Term(current) }
}

/// A log of one entry of this epoch.
fn restored(epochs: Epochs, term: u64) -> Restored {
    let position = Position::new(Term(term), Index(1));
    let entries = vec![Entry { position, payload: Payload::Empty }];
    Restored { epochs, terms: vec![(Index(1), Term(term))], entries, ..Restored::default() }
}

fn refusal(config: Config, restored: Restored) -> Option<StartError> {
    Zab::new(config, restored, 1).err()
}

#[test]
fn what_a_crash_can_leave_starts() {
    for (epochs, term) in
        [(epochs(3, 3), 3), (epochs(5, 3), 3), (epochs(5, 3), 4), (epochs(5, 3), 5)]
    {
        assert_eq!(refusal(config(), restored(epochs, term)), None, "{epochs:?}, {term}");
    }
    assert_eq!(refusal(config(), Restored::default()), None);
}

#[test]
fn what_no_crash_can_leave_does_not_start() {
    let crossed = epochs(2, 3);
    assert_eq!(refusal(config(), restored(crossed, 2)), Some(StartError::Epochs(crossed)));
    let last = Position::new(Term(4), Index(1));
    let ahead = StartError::Ahead { last, accepted: Term(3) };
    assert_eq!(refusal(config(), restored(epochs(3, 3), 4)), Some(ahead));
    let torn = Restored { applied: Index(9), ..restored(epochs(3, 3), 3) };
    assert_eq!(refusal(config(), torn), Some(StartError::Log));
}

#[test]
fn every_member_has_one_place() {
    let both = Config { observers: config().voters, ..config() };
    assert_eq!(refusal(both, Restored::default()), Some(StartError::Place(id(1))));
    let neither = Config { id: id(9), ..config() };
    assert_eq!(refusal(neither, Restored::default()), Some(StartError::Place(id(9))));
}

#[test]
fn a_refusal_says_what_to_do() {
    let last = Position::new(Term(4), Index(1));
    let refusals = [
        StartError::Epochs(epochs(2, 3)),
        StartError::Ahead { last, accepted: Term(3) },
        StartError::Log,
    ];
    for refusal in refusals {
        assert!(refusal.to_string().contains("Restore this member's data whole"), "{refusal}");
    }
    assert!(StartError::Place(id(9)).to_string().contains("give every member one place"));
}
