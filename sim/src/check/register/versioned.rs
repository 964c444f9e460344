//! The register that counts its writes.

use super::RegisterCall;
use crate::check::wgl::Model;

/// A register that starts unwritten at version 0 and adds one with every change. It is held to
/// the versions it tells: a version that is skipped, repeated or taken back is a violation.
#[derive(Clone, Copy, Debug, Default)]
pub struct VersionedRegister;

/// A version and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VersionedState {
    /// How often the register was set.
    pub version: u64,
    /// The value; `None`: never written.
    pub value: Option<i64>,
}

/// What a versioned register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionedResponse {
    /// What was read.
    Read(VersionedState),
    /// Written, at this version.
    Written(u64),
    /// The comparison held, and the new value is set, at this version.
    Swapped(u64),
    /// The comparison did not hold, and nothing was set.
    Unequal,
}

impl Model for VersionedRegister {
    type State = VersionedState;
    type Call = RegisterCall;
    type Response = VersionedResponse;

    fn initial(&self) -> VersionedState {
        VersionedState::default()
    }

    fn step(
        &self,
        &state: &VersionedState,
        call: &RegisterCall,
        response: Option<&VersionedResponse>,
    ) -> Option<VersionedState> {
        let set = |value| VersionedState { version: state.version + 1, value: Some(value) };
        let (next, truth) = match *call {
            RegisterCall::Read => (state, VersionedResponse::Read(state)),
            RegisterCall::Write(value) => {
                (set(value), VersionedResponse::Written(state.version + 1))
            }
            RegisterCall::Cas { expected, new } if state.value == expected => {
                (set(new), VersionedResponse::Swapped(state.version + 1))
            }
            RegisterCall::Cas { .. } => (state, VersionedResponse::Unequal),
        };
        response.is_none_or(|told| *told == truth).then_some(next)
    }

    fn changes_nothing(&self, call: &RegisterCall, response: Option<&VersionedResponse>) -> bool {
        match call {
            RegisterCall::Read => true,
            RegisterCall::Write(_) => false,
            RegisterCall::Cas { .. } => response == Some(&VersionedResponse::Unequal),
        }
    }
}
