//! Requests about the keyring: carried out here, and gathered from everybody.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use protocol::swim::message::Name;
use protocol::swim::serf::{self, KeyOperation, KeyResponse, Message};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::envelope::Envelope;
use super::keyring::{Key, KeyError, Keyring};
use super::notebook::Notebook;

/// Carries out requests, one after the other: the file first, then the ring in use.
#[derive(Debug)]
pub(super) struct Keeper {
    envelope: Arc<Envelope>,
    notebook: Option<Notebook>,
    turn: Mutex<()>,
}

impl Keeper {
    pub(super) fn new(envelope: Arc<Envelope>, notebook: Option<Notebook>) -> Self {
        Self { envelope, notebook, turn: Mutex::new(()) }
    }

    /// Does what is asked, and says how that went. A key that cannot be kept is not used.
    pub(super) async fn carry_out(&self, operation: KeyOperation) -> KeyResponse {
        let _turn = self.turn.lock().await;
        match self.attempt(operation).await {
            Ok(response) => response,
            Err(message) => {
                KeyResponse { result: false, message: message.into(), ..KeyResponse::default() }
            }
        }
    }

    async fn attempt(&self, operation: KeyOperation) -> Result<KeyResponse, String> {
        let Some(mut ring) = self.envelope.keyring() else {
            return Err("No keyring to modify (encryption not enabled)".to_owned());
        };
        let done = KeyResponse { result: true, ..KeyResponse::default() };
        let what = match &operation {
            KeyOperation::List => return Ok(list(&ring)),
            KeyOperation::Install(_) => "installed",
            KeyOperation::Use(_) => "used from now on",
            KeyOperation::Remove(_) => "removed",
        };
        change(&mut ring, &operation).map_err(|error| error.to_string())?;
        if let Some(notebook) = self.notebook.clone() {
            let kept = ring.clone();
            let written = spawn_blocking(move || notebook.keep_keyring(&kept)).await;
            let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
            written.map_err(|error| format!("cannot keep the keyring: {error}"))?;
        }
        self.envelope.put_keyring(ring);
        tracing::info!("a key of the pool was {what}");
        Ok(done)
    }
}

fn change(ring: &mut Keyring, operation: &KeyOperation) -> Result<(), KeyError> {
    match operation {
        KeyOperation::Install(key) => ring.install(Key::new(key)?),
        KeyOperation::Use(key) => ring.choose(&Key::new(key)?),
        KeyOperation::Remove(key) => ring.remove(&Key::new(key)?),
        KeyOperation::List => Ok(()),
    }
}

fn list(ring: &Keyring) -> KeyResponse {
    KeyResponse {
        result: true,
        message: Bytes::new(),
        keys: ring.keys().map(|key| key.to_base64().into()).collect(),
        primary_key: ring.primary().to_base64().into(),
    }
}

/// What everybody has said to a request about keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Members that were there when it was asked.
    pub members: usize,
    /// Members that have answered.
    pub answered: usize,
    /// Those that refused, each with why.
    pub refused: BTreeMap<String, String>,
    /// The keys that there are, in base64, each with how many have it.
    pub keys: BTreeMap<String, usize>,
    /// The keys that encrypt, each with how many encrypt with it.
    pub primary: BTreeMap<String, usize>,
}

impl KeyReport {
    pub(super) fn new(members: usize) -> Self {
        Self { members, ..Self::default() }
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.answered >= self.members
    }

    /// Whether everybody has done it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_complete() && self.refused.is_empty()
    }

    pub(super) fn take(&mut self, from: &Name, payload: &Bytes) {
        self.answered += 1;
        let mut refuse = |why: String| drop(self.refused.insert(from.to_string(), why));
        match serf::decode(payload) {
            Ok(Message::KeyResponse(response)) if response.result => {
                for key in response.keys {
                    *self.keys.entry(text(key)).or_default() += 1;
                }
                if !response.primary_key.is_empty() {
                    *self.primary.entry(text(response.primary_key)).or_default() += 1;
                }
            }
            Ok(Message::KeyResponse(response)) => refuse(text(response.message)),
            Ok(_) | Err(_) => refuse("its answer cannot be read".to_owned()),
        }
    }
}

fn text(bytes: Bytes) -> String {
    Name::from(bytes).to_string()
}
