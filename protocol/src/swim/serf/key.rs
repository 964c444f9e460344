//! Serf's own queries, of which most are about keys. The keyring is the driver's.

use bytes::Bytes;

use super::input::{KeyOperation, QueryId};
use super::message::{KeyResponse, Message};
use super::output::Output;
use super::query::Waiting;
use super::{Serf, decode, encoded};

impl Serf {
    /// A query of Serf itself, by the rest of its name.
    pub(super) fn on_internal(
        &mut self,
        id: QueryId,
        waiting: Waiting,
        topic: &[u8],
        payload: &Bytes,
    ) {
        let keyed: fn(Bytes) -> KeyOperation = match topic {
            // That it has arrived is the answer.
            b"ping" => return,
            b"conflict" => return self.on_conflict_query(id, &waiting, payload),
            b"list-keys" => return self.on_key_request(id, waiting, KeyOperation::List),
            b"install-key" => KeyOperation::Install,
            b"use-key" => KeyOperation::Use,
            b"remove-key" => KeyOperation::Remove,
            _ => {
                self.counters.queries_unknown += 1;
                return;
            }
        };
        match decode(payload) {
            Ok(Message::KeyRequest(request)) => {
                let key = Bytes::copy_from_slice(&request.key);
                self.on_key_request(id, waiting, keyed(key));
            }
            Ok(_) => self.counters.misplaced += 1,
            Err(_) => self.counters.malformed += 1,
        }
    }

    fn on_key_request(&mut self, id: QueryId, waiting: Waiting, operation: KeyOperation) {
        let source = waiting.source.clone();
        if self.await_keys(id, waiting) {
            self.outbox.push_back(Output::KeyRequest { id, source, operation });
        }
    }

    /// The keyring has answered.
    pub(super) fn on_key_answer(&mut self, id: QueryId, response: KeyResponse) {
        let Some(waiting) = self.queries.take(id).filter(|waiting| self.now < waiting.deadline)
        else {
            return;
        };
        let answer = self.fitting(id, response);
        self.answer(id, &waiting, 0, answer);
    }

    /// As many keys as an answer can hold, and a word on how many there are.
    fn fitting(&self, id: QueryId, mut response: KeyResponse) -> Bytes {
        let all = response.keys.len();
        loop {
            let answer = encoded(&Message::KeyResponse(response.clone()));
            if self.answer_len(id, answer.clone()) <= self.config.response_bytes {
                return answer;
            }
            if response.keys.pop().is_none() {
                // A message alone that is too long says nothing that `result` does not.
                return encoded(&Message::KeyResponse(KeyResponse {
                    result: response.result,
                    ..KeyResponse::default()
                }));
            }
            let shown = response.keys.len();
            let text =
                alloc::format!("Truncated key list response, showing first {shown} of {all} keys");
            response.message = text.into();
        }
    }
}
