//! Planted bugs: they prove that the simulator's checks see.
//!
//! Each is a small, exact change of one place (sometimes two, where one protection stands behind
//! another), asked for by [`planted`] at the very line that it spoils. Without the feature
//! `mutants` that question is a constant `false`, so the code is the code without the bug. With
//! the feature, `plant` chooses at most one bug for the whole process.
//!
//! `docs/mutants.md` tells for each how it does harm and what should notice it.

/// Declares the bugs: name, whether it belongs to the core set, what should notice it, what it is.
macro_rules! mutants {
    ($($name:ident, $core:literal, $detector:literal, $what:literal;)+) => {
        /// A planted bug. `R` stands for Raft, `W` for the write-ahead log, `A` for applying, `M`
        /// for revisions and watches, `L` for leases, `S` for SWIM, `X` for sessions, `V` for ways
        /// around broken links, `B` for bootstrap, `G` for groups that elect by gossip, `Z` for
        /// Zab; `E` for what etcd once had under that number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Mutant {
            $(#[doc = $what] $name,)+
        }

        impl Mutant {
            /// All of them, in the order of their names' kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name, as in the tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What it changes, in a line.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)+
                }
            }

            /// Whether it belongs to the core set, which every change of the code is tried with.
            #[must_use]
            pub const fn core(self) -> bool {
                match self {
                    $(Self::$name => $core,)+
                }
            }

            /// The checks that should notice it, by the names of the tables.
            #[must_use]
            pub const fn detector(self) -> &'static str {
                match self {
                    $(Self::$name => $detector,)+
                }
            }
        }
    };
}

mutants! {
    R1, true, "RI6, RI1", "A vote is told before term and vote are durable.";
    R2, true, "RI1, RI6", "A second candidate gets the vote of a term.";
    R3, true, "RI4, RI15", "A vote does not ask whether the candidate's log is up to date.";
    R4, false, "RI4, RI15", "Logs are compared by length first, then by term.";
    R5, true, "RI10, RI5", "A leader commits entries of earlier terms by counting copies.";
    R6, true, "RI3, RI5", "A conflicting suffix stays when a leader sends other entries.";
    R7, true, "RI9, RI15", "An append cuts everything after its base, though it matches.";
    R8, true, "RI8, RI15", "A follower acknowledges entries before they are durable.";
    R9, false, "RI9, RI8", "A leader counts its own copy before it is durable.";
    R10, true, "RI1, RI9", "Half of the voters are taken for a majority.";
    R11, false, "RI9", "An acknowledgement of an earlier term counts in this one.";
    R12, true, "RI11, RI5", "A heartbeat commits what was never matched with the leader.";
    R13, true, "linearizability, RI13", "A leader answers reads without asking whether it leads.";
    R14, false, "RI13, linearizability", "Reads do not wait for an entry of the leader's own term.";
    R15, false, "RI13, linearizability", "All questions for a read index share one name.";
    R16, false, "linearizability", "A lease is counted without the margin for clock drift.";
    R17, true, "RI14, RI7", "A snapshot behind the applied state is accepted.";
    R18, false, "RI14", "The log begins anew before the state that replaces it is durable.";
    R19, false, "RI12, RI1", "The members are changed while the last change is pending.";
    R20, true, "RI12, RI1", "A leader changes the members before it knows what is committed.";
    R21, false, "RI9, RI12", "Learners count for commits.";
    R22, false, "RI9, RI12", "A removed leader counts itself.";
    R23, false, "RI16", "Being asked for a pre-vote raises the term.";
    R24, true, "RI16, liveness", "A leader that no quorum answers goes on leading.";
    R25, false, "RI6", "Term and vote are forgotten when both copies are damaged.";
    R26, true, "RI4, RI15", "A member that has forgotten what it promised is welcome.";
    W1, true, "MI6, RI3", "The checksum of a record is not looked at.";
    W2, true, "RI15, RI9", "Damage in the last segment is taken for a torn end and cut.";
    W3, true, "RI8, RI15", "A failed sync is tried again, and believed.";
    W4, false, "RI15, recovery", "A sync does not make renamed files durable.";
    W5, false, "RI3, recovery", "What a recycled segment held before is replayed.";
    W6, false, "RI3, RI8", "A batch that replaces entries is forgotten at the next start.";
    W7, false, "RI5, RI3", "A record is not bound to its segment and index.";
    W8, false, "RI8, RI15", "One sync acknowledges what the next one should.";
    W9, false, "recovery", "The state names tables before they are durable.";
    W10, false, "MI6", "The checksum of a snapshot's piece is not looked at.";
    A1, true, "MI6, MI1", "The applied index is flushed without the last revision.";
    A2, false, "MI6", "Applying a tick reads the replica's own clock.";
    M1, true, "WI reliable", "A watch that has caught up misses the next event.";
    M2, false, "WI bookmarkable", "Progress is told while events are still to come.";
    M3, false, "WI atomic", "A revision may be split over two responses.";
    M4, false, "WI reliable", "Compaction drops a deletion at its own revision.";
    M5, false, "MI1, MI6", "The revision is restored from the last record left.";
    L1, true, "L7", "A deposed leader goes on telling the leases' time.";
    E15271, false, "WI ordered, unique", "A watch without credit goes on from where it began.";
    E17247, false, "WI unique", "A transaction tells its later puts twice.";
    E18667, false, "MI6, MI3", "A read of the compacted past fails only once it is pruned.";
    S1, true, "SI1, SI4", "A refutation does not raise the incarnation.";
    S2, true, "SI2", "A sign of life of the same incarnation brings back the dead.";
    S3, false, "SI5, SI3", "Any acknowledgement answers the probe under way.";
    S4, false, "SI3", "The next one to probe is drawn at random each time.";
    S5, false, "SI4", "What helpers were answered does not count.";
    S6, false, "SI4", "A suspect's time is one probe interval, however large the pool.";
    S7, false, "SI7", "A message is passed on once.";
    S8, false, "SI8", "Whatever the label, the pool is taken for the own one.";
    S9, false, "SI9", "A member that leaves does not say that it is itself who says so.";
    S10, true, "SI11", "An intent to leave counts however old it is.";
    S11, true, "SI12", "A member that is sent away does not object.";
    S12, false, "SI13", "A member says farewell without saying first that it goes.";
    S13, false, "SI12", "An exchange does not tell of those who have left.";
    S14, false, "SI10", "Nobody passes on the events of others.";
    S15, true, "SI10", "An event that comes again is told of again.";
    S16, false, "SI14", "A query that comes again is answered again.";
    S17, false, "SI14", "Whoever a filter keeps out answers.";
    S18, false, "SI14", "An answer counts each time it comes.";
    X1, true, "XI1, MI6", "A snapshot leaves out what clients were answered.";
    X2, false, "XI1, MI6", "What a client has done with is carried out when it comes late.";
    V1, false, "VI1", "Whoever passes a message on looks for a way around again.";
    V2, false, "VI1", "A relay takes for its own what it should pass on.";
    B1, true, "BI3, BI2", "A pledge is shown before it is durable.";
    B2, false, "BI1, BI2", "A pledge is left for a lower one that may come to be.";
    B3, false, "BI3, BI1", "Whoever has pledged pledges whatever else gives hope.";
    B4, true, "BI2", "A group is founded when one of its servers has not pledged.";
    G1, true, "GI1, GI2", "Whoever hears nobody object leads, without a majority's epoch.";
    G2, true, "GI4", "A grant is told before it is durable.";
    G3, true, "GI1", "A member that starts again grants before an old promise has ended.";
    G4, true, "GI1", "A leader counts its lease from the answers, not from its request.";
    G5, false, "GI1", "A leader leaves no margin for the drift of clocks.";
    G6, true, "GI5", "A new electorate takes over without a majority of the old one.";
    G7, true, "GI1", "A claim is granted while another one's lease may be in use.";
    G8, false, "GI1", "A lease is released before its program has stopped.";
    G9, false, "GI7", "A leader falls when one member has granted a later epoch.";
    G10, false, "GI4", "A promise to the leader of an earlier epoch is forgotten in a crash.";
    Z1, false, "ZI8, ZI3", "What was proposed while a learner synchronised counts as held by it.";
    Z2, false, "ZI8", "A learner is told that all it was sent is committed.";
    Z3, false, "ZI14", "The epoch is durable before the history that it stands for.";
    Z4, false, "ZI15", "A learner says that it holds everything before it is durable.";
    Z5, false, "ZI11, ZI13", "A node looks for a leader with what it knows to be committed.";
    Z6, false, "ZI8", "What a learner was sent counts as committed before a quorum has it.";
    Z7, false, "ZI9, ZI6", "Histories do not matter to who may lead, only epochs do.";
    Z8, false, "ZI15", "An entry is acknowledged before the history that it stands in.";
    Z9, false, "ZI11", "A node looks for a leader while its disk owes the last one answers.";
    F1, false, "RI15", "A parcel of proposals counts each time it arrives.";
    F2, false, "recovery, RI15", "What a failed sync left in the cache is believed.";
    F3, false, "RI16", "Only the answer to the very latest beat frees a lost probe.";
    F4, false, "recovery", "Identifiers of a void batch at the same place are believed.";
    F5, false, "recovery, RI15", "What a crash left of a segment's beginning is used again.";
    E20221, false, "WI unique, resumable", "A watch is told events from before its start.";
}

impl Mutant {
    /// The bug of this name, whatever the case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mutant| mutant.name().eq_ignore_ascii_case(name))
    }
}

#[cfg(feature = "mutants")]
mod choice {
    use core::sync::atomic::{AtomicU8, Ordering};

    use super::Mutant;

    /// The number of the planted bug; 255 is none.
    static PLANTED: AtomicU8 = AtomicU8::new(NONE);
    const NONE: u8 = u8::MAX;

    /// Plants one bug, or none, for the whole process.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.store(mutant.map_or(NONE, |mutant| mutant as u8), Ordering::Relaxed);
    }

    /// Whether this bug is planted now.
    #[inline]
    #[must_use]
    pub fn planted(mutant: Mutant) -> bool {
        PLANTED.load(Ordering::Relaxed) == mutant as u8
    }
}

#[cfg(not(feature = "mutants"))]
mod choice {
    use super::Mutant;

    /// Whether this bug is planted now: none ever is, in a build without them.
    #[inline]
    #[must_use]
    pub const fn planted(_mutant: Mutant) -> bool {
        false
    }
}

#[cfg(feature = "mutants")]
pub use choice::plant;
pub use choice::planted;
