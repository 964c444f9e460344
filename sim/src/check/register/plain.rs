//! The register that tells nothing but its value.

use super::RegisterCall;
use crate::check::wgl::Model;

/// A register that starts unwritten.
///
/// A compare that failed is a statement about the value, not the absence of a call: it is a read
/// of something else than what was expected.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register;

/// What a register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterResponse {
    /// The value that was read; `None`: never written.
    Value(Option<i64>),
    /// Written.
    Written,
    /// The comparison held, and the new value is set.
    Swapped,
    /// The comparison did not hold, and nothing was set.
    Unequal,
}

impl Model for Register {
    type State = Option<i64>;
    type Call = RegisterCall;
    type Response = RegisterResponse;

    fn initial(&self) -> Self::State {
        None
    }

    fn step(
        &self,
        &state: &Self::State,
        call: &RegisterCall,
        response: Option<&RegisterResponse>,
    ) -> Option<Self::State> {
        let (next, truth) = match *call {
            RegisterCall::Read => (state, RegisterResponse::Value(state)),
            RegisterCall::Write(value) => (Some(value), RegisterResponse::Written),
            RegisterCall::Cas { expected, new } if state == expected => {
                (Some(new), RegisterResponse::Swapped)
            }
            RegisterCall::Cas { .. } => (state, RegisterResponse::Unequal),
        };
        response.is_none_or(|told| *told == truth).then_some(next)
    }

    fn changes_nothing(&self, call: &RegisterCall, response: Option<&RegisterResponse>) -> bool {
        match call {
            RegisterCall::Read => true,
            RegisterCall::Write(_) => false,
            RegisterCall::Cas { .. } => response == Some(&RegisterResponse::Unequal),
        }
    }
}
