//! SWIM with Lifeguard, as HashiCorp's memberlist speaks it: who is here, who has gone.
//!
//! [`message`] has what members say to each other as values, [`wire`] as bytes.

pub mod message;
pub mod wire;
