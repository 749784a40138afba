//! Moving a store's whole content to another store, through a file that people can read.
//!
//! The file has one JSON document a line: a first one that says what it is, then every [`Item`], then
//! one that says how many there were, so that a file that was cut short is not taken for a whole one.

mod error;
mod item;
mod reader;
mod revival;
mod times;
mod writer;

pub use error::{ExportError, ImportError};
pub use item::Item;
pub use reader::ExportReader;
pub use revival::{Revival, RevivalReport, RevivedKey};
pub use writer::ExportWriter;

/// How the lines are laid out; counted up when an older gateway could misread them.
const FORMAT: u64 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Digest, KeyId, SessionId, Timestamp, UserId};
    use crate::store::RevokedSession;

    fn item() -> impl Strategy<Value = Item> {
        let time = (0..253_402_207_200_000_i64).prop_map(Timestamp::from_millis);
        let some = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<u64>(), time);
        some.prop_flat_map(|(user, other, number, at)| {
            let user = UserId::from_bytes(user);
            let address = Digest::of(&[&number.to_be_bytes()]);
            let session = RevokedSession {
                id: SessionId::from_bytes(other),
                user,
                forget_at: at,
            };
            let key = KeyId::from_bytes(other);
            prop_oneof![
                Just(Item::RevokedSession(session)),
                Just(Item::LastUsed { key, at }),
                Just(Item::Address { user, address, at }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again_to_the_millisecond(
            items in proptest::collection::vec(item(), 0..20),
        ) {
            let mut export =
                ExportWriter::begin(Vec::new(), "here", Timestamp::from_secs(0)).unwrap();
            for item in &items {
                export.add(item).unwrap();
            }
            let (bytes, count) = export.end().unwrap();
            prop_assert_eq!(count, u64::try_from(items.len()).unwrap());

            let read: Result<Vec<_>, _> = ExportReader::begin(&bytes[..]).unwrap().collect();
            prop_assert_eq!(read.unwrap(), items);
        }

        #[test]
        fn no_bytes_make_the_reader_fail_in_another_way_than_by_saying_so(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let head = b"{\"export\":{\"format\":1}}\n";
            let text = [head.as_slice(), &bytes].concat();
            let read: Result<Vec<_>, _> = ExportReader::begin(&text[..]).unwrap().collect();
            prop_assert!(read.is_err());
        }
    }
}
