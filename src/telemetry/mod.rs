//! What operators see: life-cycle and fault lines, the access line, metrics.

mod access;
pub mod audit;
mod causes;
mod collectors;
mod line;
mod log;
mod metrics;
mod requests;
mod seldom;

pub use crate::field;
pub use access::{AccessBuffer, AccessLog, AccessWriter};
pub use causes::with_causes;
pub use collectors::{Sample, Spans};
pub use line::{Field, Line, LineFormat};
pub use log::{LogError, LogLevel, start_log};
pub use metrics::{Metrics, Outcome, WorkerMetrics};
pub use requests::RouteCounts;
pub use seldom::Seldom;
