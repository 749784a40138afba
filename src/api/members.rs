use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// The members of a JSON object. Texts may be passwords: they are wiped, and nothing here prints them.
#[derive(Default)]
pub(super) struct Members(HashMap<String, Member>);

/// A value, as far as any field of the API can use it.
pub(super) enum Member {
    Null,
    Flag(bool),
    Text(Zeroizing<String>),
    /// A number, an array or an object, which no field is.
    Other,
}

impl Members {
    /// Reads one JSON object in UTF-8. A member that is there twice makes it none: readers differ in
    /// which of the two counts.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let text = std::str::from_utf8(body).map_err(Error::custom)?;
        serde_json::from_str(text)
    }

    /// Takes a member out; `None` when it is not there or `null`.
    pub(super) fn take(&mut self, name: &str) -> Option<Member> {
        match self.0.remove(name)? {
            Member::Null => None,
            member => Some(member),
        }
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = HashMap::new();
        while let Some(name) = map.next_key::<String>()? {
            match members.entry(name) {
                Entry::Occupied(_) => return Err(A::Error::custom("a member is there twice")),
                Entry::Vacant(free) => free.insert(map.next_value()?),
            };
        }
        Ok(Members(members))
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Member, E> {
        Ok(Member::Flag(flag))
    }

    fn visit_str<E>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Member, E> {
        Ok(Member::Text(Zeroizing::new(text)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    // What is nested is passed over without recursion, however deep it is.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Member, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_refused(body: &[u8]) -> bool {
        Members::read(body).is_err()
    }

    #[test]
    fn only_one_object_is_an_object() {
        for body in [
            "",
            "null",
            "[]",
            "\"x\"",
            "{",
            "{}{}",
            "{} x",
            "{'a':1}",
            "{a:1}",
            "{\"a\":1,}",
        ] {
            assert!(is_refused(body.as_bytes()), "{body}");
        }
        assert!(!is_refused(b" {\"a\": [1, {\"b\": 2}], \"c\": 1.5e3} "));
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused() {
        assert!(is_refused(b"{\"role\":\"viewer\",\"role\":\"admin\"}"));
        assert!(is_refused(b"{\"role\":null,\"r\\u006fle\":\"admin\"}"));
    }

    #[test]
    fn what_is_no_utf_8_is_refused() {
        assert!(is_refused(b"{\"a\":\"\xff\"}"));
        assert!(is_refused(b"{\"a\":[\"\xff\"]}"));
        assert!(is_refused(b"{\"a\":\"\\ud800\"}"));
    }

    #[test]
    fn nesting_as_deep_as_a_body_may_be_does_no_harm() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        let _ = Members::read(deep.as_bytes());
    }

    #[test]
    fn null_is_as_if_not_given() {
        let mut members = Members::read(b"{\"a\":null,\"b\":true}").unwrap();
        assert!(members.take("a").is_none());
        assert!(matches!(members.take("b"), Some(Member::Flag(true))));
        assert!(members.take("b").is_none());
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = Members::read(&body);
        }

        #[test]
        fn every_text_reads_back(text: String) {
            let body = serde_json::json!({ "a": text }).to_string();
            let mut members = Members::read(body.as_bytes()).unwrap();
            let Some(Member::Text(read)) = members.take("a") else { panic!("a text") };
            prop_assert_eq!(read.as_str(), text);
        }
    }
}
