//! What operators see: log lines, the access line, audit lines, metrics.
