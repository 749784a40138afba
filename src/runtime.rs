//! The threads that serve requests, one runtime a core, and the runtime for everything else.
