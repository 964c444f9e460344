//! Why bytes were refused.

use core::fmt;

macro_rules! errors {
    ($($name:ident, $label:literal, $what:literal;)+) => {
        /// Why bytes were refused. Nothing has changed; what follows them may be sound.
        ///
        /// They are counted by reason: [`Error::ALL`] has them in the order of their index.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Error {
            $(#[doc = $what] $name,)+
        }

        impl Error {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name among figures.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }

            const fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)+ }
            }
        }
    };
}

errors! {
    Short, "short", "the bytes end within a message";
    Kind, "kind", "no kind of message that belongs here";
    Type, "type", "a value has a type that its field cannot have";
    Range, "range", "a number does not fit its field";
    Long, "long", "a value is longer than it may be";
    Count, "count", "more of something than there may be";
    Name, "name", "a member without a name";
    Address, "address", "an address of more than 16 bytes";
    Version, "version", "versions that are not six bytes";
    State, "state", "a state that there is not";
    Checksum, "checksum", "the checksum does not agree";
    Nesting, "nesting", "packets within packets, too deep";
    PartEmpty, "part_empty", "a part of a compound is empty";
    PartLost, "part_lost", "a part of a compound lies beyond its end";
    Label, "label", "a label without a byte, or one where none belongs";
    Algorithm, "algorithm", "compressed or encrypted in a way that is not known";
}

impl Error {
    /// Where it stands in [`Error::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl core::error::Error for Error {}
