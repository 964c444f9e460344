//! Joining again and again, until somebody answers; and once more when everybody is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::handle::{CallError, PoolHandle};
use super::member::{PoolMember, Standing};

/// The first pause between two rounds; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How often it is looked whether anybody is left.
const LOOK: Duration = Duration::from_secs(10);

/// Joins whoever of these places answers, and all that do in one round: they may be of two halves.
/// Never ends by itself. A name that cannot be resolved, or where nobody listens, is tried again;
/// finding nobody but oneself is no success.
pub(super) async fn join_for_ever(handle: PoolHandle, places: Vec<String>) {
    let mut pause = PAUSE_MIN;
    let mut told = BTreeMap::new();
    loop {
        for place in &places {
            match handle.join(place).await {
                Ok(members) => tracing::debug!(%place, members, "states exchanged"),
                Err(CallError::Ended) => return,
                Err(error) => {
                    let error = error.to_string();
                    if told.get(place) != Some(&error) {
                        tracing::warn!(%place, "cannot join the pool: {error}; trying again");
                        told.insert(place.clone(), error);
                    }
                }
            }
        }
        match others(&handle).await {
            None => return,
            Some(0) => {}
            Some(others) => {
                tracing::info!(others, "joined the pool");
                told.clear();
                pause = PAUSE_MIN;
                while others_soon(&handle).await != Some(0) {
                    if handle.calls.is_closed() {
                        return;
                    }
                }
                tracing::warn!("nobody else of the pool is there any more; joining again");
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn others_soon(handle: &PoolHandle) -> Option<usize> {
    sleep(LOOK).await;
    others(handle).await
}

/// How many others are there; `None` when the pool has ended.
async fn others(handle: &PoolHandle) -> Option<usize> {
    let members = handle.members().await.ok()?;
    let other =
        |member: &&PoolMember| member.name() != handle.name() && member.standing == Standing::Alive;
    Some(members.iter().filter(other).count())
}
