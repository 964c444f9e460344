//! SWIM with Lifeguard, as HashiCorp's memberlist speaks it: who is here, who has gone.
//!
//! [`message`] has what members say to each other as values, [`wire`] as bytes;
//! [`serf`] what Serf's agents say to each other on top of it.

pub mod message;
pub mod serf;
pub mod wire;
