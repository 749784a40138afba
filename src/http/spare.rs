//! The map of headers of the last exchange, to be filled again: to make one takes two blocks of memory, and more
//! where it grows.

use std::cell::Cell;

use http::HeaderMap;

thread_local! {
    static SPARE: Cell<HeaderMap> = Cell::default();
}

/// Headers that a map may have room for when it is kept.
const MOST: usize = 64;

/// An empty map, with the room of the one that was given back last.
pub fn take() -> HeaderMap {
    SPARE.take()
}

/// Gives a map back whose headers nobody needs any more.
pub fn give(mut headers: HeaderMap) {
    if headers.capacity() <= MOST {
        headers.clear();
        SPARE.set(headers);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn a_map_that_is_used_again_holds_nothing() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=d"));
        give(headers);

        let again = take();
        assert!(again.is_empty() && again.capacity() > 0);
        assert_eq!(again.get(header::COOKIE), None);
        assert_eq!(take().capacity(), 0);
    }

    #[test]
    fn one_that_has_grown_large_is_not_kept() {
        give(HeaderMap::with_capacity(4 * MOST));
        assert_eq!(take().capacity(), 0);
    }
}
