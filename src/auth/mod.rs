//! From a credential to an admission: tokens, keys, passwords, limits.
