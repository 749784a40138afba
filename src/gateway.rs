//! The path of a request, top to bottom.
