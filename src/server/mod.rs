//! Listeners, TLS, connections, shutdown.
