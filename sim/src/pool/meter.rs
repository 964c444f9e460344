//! What a member sends and receives.

/// Packets with the bytes within their UDP datagrams, and the bytes of exchanges. What is sent
/// counts when it goes, what is received when it is read: lost packets are in the first alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Packets sent.
    pub packets_out: u64,
    /// Packets read.
    pub packets_in: u64,
    /// Bytes of packets sent.
    pub bytes_out: u64,
    /// Bytes of packets read.
    pub bytes_in: u64,
    /// Bytes of exchanges sent.
    pub exchanged_out: u64,
    /// Bytes of exchanges read.
    pub exchanged_in: u64,
}

impl Meter {
    /// What was added since.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            packets_out: self.packets_out - before.packets_out,
            packets_in: self.packets_in - before.packets_in,
            bytes_out: self.bytes_out - before.bytes_out,
            bytes_in: self.bytes_in - before.bytes_in,
            exchanged_out: self.exchanged_out - before.exchanged_out,
            exchanged_in: self.exchanged_in - before.exchanged_in,
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            packets_out: self.packets_out + other.packets_out,
            packets_in: self.packets_in + other.packets_in,
            bytes_out: self.bytes_out + other.bytes_out,
            bytes_in: self.bytes_in + other.bytes_in,
            exchanged_out: self.exchanged_out + other.exchanged_out,
            exchanged_in: self.exchanged_in + other.exchanged_in,
        }
    }
}
