//! What services get of a request, and clients of an answer.

mod bodies;
mod expect;
mod headers;
pub mod https;
mod identity;
mod lengths;
mod liars;
mod pace;
mod paths;
mod pool;
mod pressure;
mod stalls;
mod trailers;
mod trouble;
