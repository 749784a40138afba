//! The use cases of the API, without HTTP.
