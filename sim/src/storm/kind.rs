//! The catalogue: every kind of fault that a world knows.
//!
//! The letters are those of `docs/simulator.md`: N network, P process, T time, D disk, O operator.

macro_rules! kinds {
    ($($kind:ident $class:literal $name:literal: $what:literal,)*) => {
        /// One kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = concat!($class, ": ", $what)] $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// Its class in the catalogue.
            #[must_use]
            pub const fn class(self) -> &'static str {
                match self {
                    $(Self::$kind => $class,)*
                }
            }

            /// What happens.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$kind => $what,)*
                }
            }
        }
    };
}

kinds! {
    Loss "N1" "loss": "messages get lost, everywhere.",
    Doubling "N2" "doubling": "messages arrive twice.",
    Replay "N2" "replay": "messages arrive again seconds later.",
    Reorder "N3" "reorder": "messages overtake each other.",
    Clog "N4" "clog": "a link holds everything back and then lets it go at once.",
    SlowLink "N4" "slow-link": "a link takes much longer.",
    Split "N5" "split": "two groups that do not hear each other.",
    IsolateOne "N5" "isolate-one": "one node hears nobody, and is heard by nobody.",
    IsolateLeader "N5" "isolate-leader": "the leader hears nobody, and is heard by nobody.",
    OneWay "N6" "one-way": "one direction of one link.",
    DeafLeader "N6" "deaf-leader": "the leader hears nobody and is heard by all.",
    MuteLeader "N6" "mute-leader": "the leader is heard by nobody and hears all.",
    Bridge "N7" "bridge": "one node sees both sides of a split.",
    Chain "N7" "chain": "every node sees only its two neighbours on a line.",
    Star "N7" "star": "all see only one node, and it is not the leader.",
    Ring "N8" "ring": "every node sees another majority.",
    Flapping "N9" "flapping": "a link goes and comes.",
    Swizzle "N10" "swizzle": "nodes are cut off one by one and come back in another order.",
    Bandwidth "N11" "bandwidth": "a link has little bandwidth.",
    FlippedBits "N12" "flipped-bits": "bits flip on the way.",
    Reset "N13" "reset": "a connection is reset.",
    BlackHole "N14" "black-hole": "messages with entries vanish, small ones pass.",
    GrayLink "N17" "gray-link": "a link loses a few messages in a hundred.",
    SlowPeer "N17" "slow-peer": "everything to and from one node takes longer.",
    Kill "P1" "kill": "a process is killed.",
    KillLeader "P1" "kill-leader": "the leader's process is killed.",
    KillInSync "P1" "kill-in-sync": "a process ends in the middle of a sync.",
    ShortPause "P2" "short-pause": "a process stops for less than an election timeout.",
    LongPause "P2" "long-pause": "a process stops for longer than one.",
    PauseLeader "P2" "pause-leader": "the leader stops for longer than one.",
    PowerCut "P3" "power-cut": "all machines lose their power at once.",
    KillAll "P3" "kill-all": "all processes are killed at once.",
    Starve "P4" "starve": "a node runs only now and then.",
    StuckSync "P5" "stuck-sync": "the leader's syncs stop, while everything else goes on.",
    Restart "P1" "restart": "a node is told to end and is started again.",
    RestartLeader "P1" "restart-leader": "the leader is told to end, and hands over.",
    RollingRestart "P1" "rolling-restart": "all nodes are restarted, one after the other.",
    Leap "T1" "leap": "a node's clock leaps ahead.",
    Drift "T3" "drift": "a node's clock runs fast or slow.",
    TornPower "D1" "torn-power": "power is lost, and any part of what was not synced survives.",
    PowerLoss "D2" "power-loss": "power is lost, and nothing unsynced survives.",
    SyncError "D3" "sync-error": "a sync of the log fails.",
    WriteError "D4" "write-error": "a write to the log fails.",
    ShortWrite "D4" "short-write": "a write to the log stops half way.",
    ReadError "D4" "read-error": "a read of the log fails.",
    LogFull "D5" "log-full": "the log's disk is full for a while.",
    StateFull "D5" "state-full": "the state's disk is full for a while.",
    StateError "D3" "state-error": "a write of the state fails.",
    LogRot "D6" "log-rot": "a bit of the log flips.",
    HeadRot "D8" "head-rot": "a bit in the log's head flips, where term and vote stand.",
    StateRot "D7" "state-rot": "a bit of the state flips.",
    Astray "D9" "astray": "a write of the log lands elsewhere.",
    SlowSync "D14" "slow-sync": "a node's syncs are slow for a while.",
    WipedDisk "O4" "wiped-disk": "a node's disks are emptied while it is down.",
    OldDisk "O5" "old-disk": "a node's disks are put back to what they were at an earlier start.",
    Transfer "O" "transfer": "an operator moves leadership.",
    DismissDoubt "O" "dismiss-doubt": "an operator declares nothing in doubt acknowledged.",
    AddVoter "O2" "add-voter": "an operator adds a voter, whose machine may never start.",
    AddLearner "O2" "add-learner": "an operator adds a learner.",
    Promote "O3" "promote": "an operator lets a learner vote.",
    Demote "O3" "demote": "an operator makes a voter a learner.",
    Remove "O1" "remove": "an operator removes a member, sometimes one that is none.",
    RemoveLeader "O1" "remove-leader": "an operator removes the leader.",
    Replace "O3" "replace": "an operator puts a new machine in the place of a member.",
    Readdress "O3" "readdress": "an operator changes where a member is reached.",
    TwoOperators "O3" "two-operators": "two operators change members at once, at two nodes.",
}

impl Kind {
    /// Whether it may take from a node what the node had made durable.
    #[must_use]
    pub const fn damages(self) -> bool {
        matches!(self, Self::LogRot | Self::HeadRot | Self::StateRot | Self::Astray)
            || self.loses_disks()
    }

    /// Whether it takes all of a node's disks, so that another one has to take its place.
    #[must_use]
    pub const fn loses_disks(self) -> bool {
        matches!(self, Self::WipedDisk | Self::OldDisk)
    }

    /// Whether an operator wishes for other members.
    #[must_use]
    pub const fn changes_members(self) -> bool {
        matches!(
            self,
            Self::AddVoter
                | Self::AddLearner
                | Self::Promote
                | Self::Demote
                | Self::Remove
                | Self::RemoveLeader
                | Self::Replace
                | Self::Readdress
                | Self::TwoOperators
        )
    }

    /// Its number in [`Kind::ALL`].
    #[must_use]
    pub const fn number(self) -> usize {
        self as usize
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_once_at_its_number_under_its_name() {
        for (number, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind.number(), number);
            assert_eq!(Kind::named(kind.name()), Some(*kind));
        }
    }
}
