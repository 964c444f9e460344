//! What an exploration found.

use std::fmt;

use super::bounds::Bounds;
use super::trace::Counterexample;

/// How far an exploration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Different states found.
    pub states: u64,
    /// States whose successors are known.
    pub explored: u64,
    /// Steps between states.
    pub transitions: u64,
    /// Steps from the first state.
    pub depth: u32,
    /// Different states of one node.
    pub local_states: u64,
    /// Different messages.
    pub messages: u64,
    /// How often the core was asked what it does.
    pub reactions: u64,
    /// Memory in use, about.
    pub bytes: u64,
}

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The box.
    pub bounds: Bounds,
    /// Different states.
    pub states: u64,
    /// Steps between them.
    pub transitions: u64,
    /// The most steps that any state is away from the first.
    pub depth: u32,
    /// Different states of one node.
    pub local_states: u64,
    /// Different messages.
    pub messages: u64,
    /// How often the core was asked what it does.
    pub reactions: u64,
    /// Everything within the box was explored, and no law was broken.
    pub finished: bool,
    /// The shortest way to break a law.
    pub violation: Option<Counterexample>,
    /// The most memory that was in use, about.
    pub peak_bytes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "box          {}", self.bounds)?;
        writeln!(f, "states       {}", self.states)?;
        writeln!(f, "transitions  {}", self.transitions)?;
        writeln!(f, "depth        {}", self.depth)?;
        let (locals, messages) = (self.local_states, self.messages);
        writeln!(f, "of one node  {locals} states, {} reactions", self.reactions)?;
        writeln!(f, "messages     {messages}")?;
        writeln!(f, "memory       {} MB", self.peak_bytes.div_ceil(1_000_000))?;
        match (&self.violation, self.finished) {
            (Some(violation), _) => write!(f, "VIOLATION\n{violation}"),
            (None, true) => f.write_str("exhausted, no law broken"),
            (None, false) => f.write_str("NOT exhausted, no law broken so far"),
        }
    }
}
