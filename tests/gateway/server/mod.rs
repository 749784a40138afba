//! Listeners, connections, and how a node begins and ends.

mod bounds;
mod deadlines;
mod early_answer;
mod framing;
mod ops;
mod pipelining;
mod shutdown;
mod start;
mod tls;
