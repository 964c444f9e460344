//! The model of a map: put, get and delete, alone or several at once.

use super::model::{Keyed, Model};
use core::fmt::Debug;
use core::hash::Hash;
use core::marker::PhantomData;
use std::collections::BTreeMap;

/// A map from keys to values that starts empty.
///
/// A call is a list of operations that happen together, in order; its response has what each of
/// them found under its key *before* it: the value of a get, the previous value of a put or a
/// delete, or nothing said about it.
#[derive(Debug)]
pub struct Map<K, V>(PhantomData<(K, V)>);

/// One operation of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapOp<K, V> {
    /// Reads the value of a key.
    Get(K),
    /// Sets the value of a key.
    Put(K, V),
    /// Removes a key.
    Delete(K),
}

/// Operations that take effect at one instant.
pub type MapCall<K, V> = Vec<MapOp<K, V>>;

impl<K, V> MapOp<K, V> {
    const fn key(&self) -> &K {
        match self {
            Self::Get(key) | Self::Put(key, _) | Self::Delete(key) => key,
        }
    }
}

impl<K, V> Map<K, V> {
    /// The model.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Model for Map<K, V>
where
    K: Ord + Clone + Hash + Debug,
    V: Clone + Eq + Hash + Debug,
{
    type State = BTreeMap<K, V>;
    type Call = MapCall<K, V>;
    /// For each operation `Some(found)` when the client was told what was there, else `None`.
    type Response = Vec<Option<Option<V>>>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        response: Option<&Self::Response>,
    ) -> Option<Self::State> {
        if response.is_some_and(|found| found.len() != call.len()) {
            return None;
        }
        let mut state = state.clone();
        for (index, op) in call.iter().enumerate() {
            let told = response.and_then(|found| found[index].as_ref());
            if told.is_some_and(|told| told.as_ref() != state.get(op.key())) {
                return None;
            }
            match op {
                MapOp::Get(_) => {}
                MapOp::Put(key, value) => {
                    state.insert(key.clone(), value.clone());
                }
                MapOp::Delete(key) => {
                    state.remove(key);
                }
            }
        }
        Some(state)
    }

    fn changes_nothing(&self, call: &Self::Call, _: Option<&Self::Response>) -> bool {
        call.iter().all(|op| matches!(op, MapOp::Get(_)))
    }
}

impl<K, V> Keyed for Map<K, V>
where
    K: Ord + Clone + Hash + Debug,
    V: Clone + Eq + Hash + Debug,
{
    type Key = K;

    fn keys(&self, call: &Self::Call, keys: &mut Vec<K>) {
        keys.extend(call.iter().map(|op| op.key().clone()));
    }
}
