//! Events of applications: told everywhere, at each member once.

use bytes::Bytes;

use super::clock::Leapt;
use super::message::{Happening, Message, UserEvent};
use super::output::{Event, RequestError};
use super::ring::Heard;
use super::{Serf, encoded, encoded_len};
use crate::mutant::{Mutant, planted};
use crate::swim::{Lane, Tag};

impl Serf {
    /// Something happens here.
    pub(super) fn on_fire(&mut self, tag: Tag, name: Bytes, payload: Bytes, coalesce: bool) {
        let most = self.config.event_bytes.min(self.packet_room());
        let bytes = name.len() + payload.len();
        if bytes > most {
            return self.done(tag, Err(RequestError::EventTooLong { bytes, most }));
        }
        let event = UserEvent { ltime: self.event_clock.time(), name, payload, coalesce };
        let message = Message::Event(event.clone());
        let bytes = encoded_len(&message);
        if bytes > most {
            return self.done(tag, Err(RequestError::EventTooLong { bytes, most }));
        }
        self.hears_event(&event);
        self.broadcast(Lane::Event, None, None, encoded(&message));
        self.done(tag, Ok(()));
    }

    /// Something happened somewhere.
    pub(super) fn on_event(&mut self, event: UserEvent, bytes: &Bytes) {
        if self.hears_event(&event) && !planted(Mutant::S14) {
            self.broadcast(Lane::Event, None, None, Bytes::copy_from_slice(bytes));
        }
    }

    /// Tells of an event, unless it was told of before. Says whether it was not.
    pub(super) fn hears_event(&mut self, event: &UserEvent) -> bool {
        if self.event_clock.witness(event.ltime) == Err(Leapt) {
            self.counters.leaps += 1;
            return false;
        }
        if event.ltime < self.event_floor {
            self.counters.events_old += 1;
            return false;
        }
        let happening = Happening { name: event.name.clone(), payload: event.payload.clone() };
        let heard = self.events.hear(event.ltime, &happening, self.event_clock.time());
        match heard {
            Heard::New => {
                self.counters.events += 1;
                self.tell_event(event);
                true
            }
            Heard::Again if planted(Mutant::S15) => {
                self.tell_event(event);
                false
            }
            Heard::Again => {
                self.counters.events_again += 1;
                false
            }
            Heard::Old => {
                self.counters.events_old += 1;
                false
            }
            Heard::Full => {
                self.counters.events_dropped += 1;
                false
            }
        }
    }

    /// Listeners may keep it for long, and the packet that it came in should go.
    fn tell_event(&mut self, event: &UserEvent) {
        let name = Bytes::copy_from_slice(&event.name);
        let payload = Bytes::copy_from_slice(&event.payload);
        self.tell(Event::User(UserEvent { name, payload, ..*event }));
    }
}
