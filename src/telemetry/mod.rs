//! What operators see: life-cycle and fault lines, the access line, metrics.

mod access;
pub mod audit;
mod causes;
mod collectors;
mod line;
mod log;
mod metrics;

pub use access::{AccessBuffer, AccessLog, AccessWriter};
pub use collectors::Spans;
pub use line::{Line, LineFormat};
pub use log::{LogError, start_log};
pub use metrics::{Labels, Metrics, Outcome, Sample, WorkerMetrics};
