//! Whom to believe at all: versions, and numbers that leave no way back.
//!
//! Upstream checks versions when two members exchange everything, and over all members at once: a
//! single one that does not fit, let in by gossip, makes every exchange in the pool fail from then
//! on, for good. Here nobody is let in who would do that, one by one and wherever the news comes
//! from; so nothing that this member passes on or exchanges can hurt a pool.

use super::message::{Facts, Vsn};

/// How far an incarnation may be ahead of what is known of the member. Only the member itself
/// raises it, by one for each time it had to defend itself; a number that is sixteen million ahead
/// is no news but an accident or an attack, and one at the end of the range would leave the member
/// nothing to answer with.
pub(super) const LEAP: u32 = 1 << 24;

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Its versions contradict themselves.
    Insane,
    /// It speaks no version of the protocol that this member speaks, or the other way round.
    Protocol,
    /// The same for the layer above.
    Delegate,
    /// An incarnation that nobody can have told honestly.
    Leap,
    /// An address that is neither of IPv4 nor of IPv6, or no name, or more metadata than allowed.
    Malformed,
    /// The table of members is full.
    Full,
}

/// Whether a member that speaks `other` fits into a pool with one that speaks `own`.
pub(super) fn check_versions(own: Vsn, other: Vsn) -> Result<(), Refusal> {
    let sane = |least, now, most| least <= now && now <= most;
    if other.protocol_min() == 0
        || !sane(other.protocol_min(), other.protocol(), other.protocol_max())
        || !sane(other.delegate_min(), other.delegate(), other.delegate_max())
    {
        return Err(Refusal::Insane);
    }
    if !sane(own.protocol_min(), other.protocol(), own.protocol_max())
        || !sane(other.protocol_min(), own.protocol(), other.protocol_max())
    {
        return Err(Refusal::Protocol);
    }
    if !sane(own.delegate_min(), other.delegate(), own.delegate_max())
        || !sane(other.delegate_min(), own.delegate(), other.delegate_max())
    {
        return Err(Refusal::Delegate);
    }
    Ok(())
}

/// Whether facts can be those of a member.
pub(super) fn check_facts(own: Vsn, facts: &Facts, meta_bytes: usize) -> Result<(), Refusal> {
    let reachable = matches!(facts.addr.as_bytes().len(), 4 | 16);
    if facts.name.is_empty() || !reachable || facts.meta.len() > meta_bytes {
        return Err(Refusal::Malformed);
    }
    check_versions(own, facts.vsn)
}

/// Whether an incarnation can have come about since `known`.
pub(super) const fn check_leap(known: u32, told: u32) -> Result<(), Refusal> {
    if told > known.saturating_add(LEAP) { Err(Refusal::Leap) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_when_each_speaks_what_the_other_understands() {
        let cases = [
            ([1, 5, 2, 2, 5, 5], Ok(())),
            ([1, 5, 2, 2, 5, 4], Ok(())),
            ([1, 5, 2, 0, 0, 0], Err(Refusal::Delegate)),
            ([1, 5, 2, 2, 4, 4], Err(Refusal::Delegate)),
            ([1, 5, 2, 5, 2, 5], Err(Refusal::Insane)),
            ([1, 5, 0, 2, 5, 5], Err(Refusal::Insane)),
            ([0, 5, 2, 2, 5, 5], Err(Refusal::Insane)),
            ([1, 0, 0, 2, 5, 5], Err(Refusal::Insane)),
            ([5, 1, 2, 2, 5, 5], Err(Refusal::Insane)),
            ([3, 5, 3, 2, 5, 5], Err(Refusal::Protocol)),
            ([1, 6, 6, 2, 5, 5], Err(Refusal::Protocol)),
        ];
        for (other, expected) in cases {
            assert_eq!(check_versions(Vsn::SERF, Vsn(other)), expected, "{other:?}");
        }
        assert_eq!(check_versions(Vsn::PLAIN, Vsn::SERF), Err(Refusal::Delegate));
        assert_eq!(check_versions(Vsn::PLAIN, Vsn::PLAIN), Ok(()));
    }

    #[test]
    fn an_incarnation_leaps_so_far_and_no_farther() {
        assert_eq!(check_leap(1, 1 + LEAP), Ok(()));
        assert_eq!(check_leap(1, 2 + LEAP), Err(Refusal::Leap));
        assert_eq!(check_leap(1, u32::MAX), Err(Refusal::Leap));
        assert_eq!(check_leap(u32::MAX - 5, u32::MAX), Ok(()));
        assert_eq!(check_leap(100, 0), Ok(()));
    }
}
