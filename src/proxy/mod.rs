//! From an admitted request to an upstream's answer.
