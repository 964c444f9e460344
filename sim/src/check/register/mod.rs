//! The models of one register: read, write, compare and set.

mod plain;
mod versioned;

pub use plain::{Register, RegisterResponse};
pub use versioned::{VersionedRegister, VersionedResponse, VersionedState};

/// What a client asks of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterCall {
    /// Reads the value.
    Read,
    /// Sets the value, whatever it was.
    Write(i64),
    /// Sets the value if it is as expected.
    Cas {
        /// The value expected; `None`: never written.
        expected: Option<i64>,
        /// The value to set.
        new: i64,
    },
}
