//! What must stop working, told to everything that rests on it.
