//! The service `Watch`: a bridge between a client's stream and the node's hub.
//!
//! The hub orders and bounds; this bridge translates. Everything happens when the client's
//! connection can take more: the stream of responses is polled only while HTTP/2 has room, takes
//! one response from the hub, turns it into one message or several fragments, and tells the hub
//! that it was written when the next one is asked for. A client that does not read therefore holds
//! what the hub has queued for it (bounded there) and one response, and nothing is encoded for it.
//!
//! An event is encoded once for all watchers on a thread ([`EventCache`]), and a response is its
//! head followed by the encoded events. An event with `prev_kv` may have to fetch what the key was
//! before from the backend; when that has been compacted meanwhile, `prev_kv` is left out, as etcd
//! does.
//!
//! A client that closes its side keeps its watches. A request without content is ignored. With
//! `hasleader` the stream ends with `no leader` after three election timeouts without one.

mod codec;
mod events;
mod fragment;
mod message;
mod session;

pub(super) use codec::WatchCodec;
pub(super) use session::open;

use events::EventCache;
