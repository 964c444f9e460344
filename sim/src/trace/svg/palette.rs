//! Colours, and what they mean.

use crate::trace::line::{Kind, Standing};

pub(super) const PAPER: &str = "#ffffff";
pub(super) const INK: &str = "#1f2933";
pub(super) const SOFT: &str = "#52606d";
pub(super) const FAINT: &str = "#9aa5b1";
pub(super) const RULE: &str = "#d9dee5";
pub(super) const RED: &str = "#c62828";
pub(super) const GREEN: &str = "#2e7d32";
pub(super) const BLUE: &str = "#1d4f91";
pub(super) const ROUTINE: &str = "#c6cfda";
pub(super) const VIOLET: &str = "#6a3fa0";

/// The colour of a lane.
pub(super) const fn standing(standing: Standing, paused: bool) -> &'static str {
    match standing {
        Standing::Down => "url(#down)",
        _ if paused => "url(#paused)",
        Standing::Follower => "#aebccd",
        Standing::PreCandidate => "#fbd38d",
        Standing::Candidate => "#f0a020",
        Standing::Leader => "#43a047",
    }
}

/// The colour of a role's name.
pub(super) const fn role(standing: Standing) -> &'static str {
    match standing {
        Standing::Down => "#4a4f57",
        Standing::Follower => "#5b6f88",
        Standing::PreCandidate => "#b7791f",
        Standing::Candidate => "#b7600a",
        Standing::Leader => "#256b29",
    }
}

/// The colour of a message.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::PreVote | Kind::PreVoteReply => "#c99a3c",
        Kind::Vote | Kind::VoteReply => "#c2570c",
        Kind::Append | Kind::Snapshot => "#1d4f91",
        Kind::Accepted => "#3c82c4",
        Kind::Rejected => "#b0306a",
        Kind::Heartbeat | Kind::HeartbeatReply => "#8a9bb0",
        Kind::Propose => "#6a3fa0",
        Kind::Read => "#0b7a75",
        Kind::Transfer => "#7a5c00",
    }
}

/// The colours of a term: of a committed entry, and of the rim.
pub(super) const fn term(term: u64) -> (&'static str, &'static str) {
    const COLOURS: [(&str, &str); 8] = [
        ("#d9dee5", "#7b8794"),
        ("#bcdcf7", "#2f7cc0"),
        ("#f9d9a8", "#c77d12"),
        ("#c5e8c7", "#3a8f3f"),
        ("#e6cdf2", "#8b46ae"),
        ("#f9c9cb", "#c2474c"),
        ("#bfe9e4", "#1f8f86"),
        ("#f3edb0", "#a3961a"),
    ];
    // A remainder by eight fits any index.
    COLOURS[(term % 8) as u8 as usize]
}
