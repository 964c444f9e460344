//! The agent's own API: the pool, over HTTP on loopback, for `conclave members` and for programs.
//!
//! ```text
//! GET  /v1/conclave/members      [{name, address, status, tags}, …]
//! GET  /v1/conclave/events       a JSON object a line, for as long as the connection is there
//! GET  /v1/conclave/pool         this member and its links
//! POST /v1/conclave/join         {"addresses": ["host:port", …]}
//! POST /v1/conclave/leave        the agent ends
//! POST /v1/conclave/force-leave  {"node", "prune"}
//! POST /v1/conclave/tags         {"set": {name: value}, "delete": [name, …]}
//! POST /v1/conclave/event        {"name", "payload" | "payload_base64", "coalesce"}
//! POST /v1/conclave/query        {"name", "payload" | …, "nodes", "tags", "timeout_ms"}
//! POST /v1/conclave/respond      {"ltime", "id", "payload" | "payload_base64"}
//! POST /v1/conclave/keys         {"operation": list | install | use | remove, "key"}
//! GET  /v1/conclave/elections    the groups that this agent elects in
//! POST /v1/conclave/elections/stand     {"group", "settings"}: lines, while the program stands
//! POST /v1/conclave/elections/observe   {"group"}: lines, at each change of who leads
//! POST /v1/conclave/elections/stopped   {"group", "epoch"}: the program has stopped
//! POST /v1/conclave/elections/report    {"group", "freshness"}
//! POST /v1/conclave/elections/electors  {"group", "electors"}: answers when they decide
//! GET  /metrics, /health
//! ```
//!
//! The stream of events begins with a line `{"event": "members", "members": [...]}`, and has
//! another one after each gap, so that whoever follows it knows everybody at any time.
//!
//! Of an election, each line is a JSON object with an `event`: `settings`, `leader` (`null` when
//! nobody leads), `elected` and `extended` (until when the program may act, in nanoseconds since
//! the machine was started), `lost`, `warning`. A program stands for as long as its connection
//! does; it says `stopped` when it has stopped, and until then, or until the lease has run out,
//! nobody else leads.
//!
//! Nobody proves here who they are. So it listens on loopback only, and refuses what a browser
//! sends for another page (`Origin`). A failed request is answered with
//! `{"error": "what to do"}`.

mod elections;
mod events;
mod figures;
mod listener;
mod requests;
mod route;
mod views;

pub use listener::{Admin, AdminError, Door};
