/// Reads the elements of DER in a row (X.690), without copying. What is not DER ends in `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'d>(&'d [u8]);

/// A tag and what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) body: &'d [u8],
    /// With the tag and the length before it.
    pub(super) whole: &'d [u8],
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

impl<'d> Der<'d> {
    pub(super) const fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    /// The elements of the next one if it is a sequence; else nothing is taken.
    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.tagged(SEQUENCE).map(Self)
    }

    /// The next element if it has this tag; else nothing is taken.
    pub(super) fn tagged(&mut self, tag: u8) -> Option<&'d [u8]> {
        let mut ahead = *self;
        let element = ahead.element().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element.body)
    }

    /// The next element.
    pub(super) fn element(&mut self) -> Option<Element<'d>> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of several bytes stand in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = length(rest)?;
        let (body, behind) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - behind.len())?;
        self.0 = behind;
        Some(Element { tag, body, whole })
    }
}

impl<'d> Iterator for Der<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        self.element()
    }
}

/// A definite length in its shortest form (X.690 §10.1).
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits
        .iter()
        .fold(0, |length, &digit| (length << 8) | usize::from(digit));
    let is_shortest = length >= 0x80 && digits.first() != Some(&0);
    is_shortest.then_some((length, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_come_apart() {
        let mut der = Der::new(&[0x02, 1, 5, 0x30, 0x81, 0x80]);
        assert_eq!(der.tagged(OID), None);
        assert_eq!(der.tagged(INTEGER), Some(&[5][..]));
        assert!(der.element().is_none(), "the body is not all there");

        let mut long = vec![0x04, 0x82, 1, 0];
        long.extend([7; 256]);
        let element = Der::new(&long).element().unwrap();
        assert_eq!((element.body.len(), element.whole.len()), (256, 260));
    }

    #[test]
    fn a_length_has_one_form() {
        for bytes in [
            &[0x04, 0x81, 1, 0][..],
            &[0x04, 0x82, 0, 0x80],
            &[0x04, 0x80, 0, 0],
            &[0x04, 0x85, 0, 0, 0, 0, 1, 0],
            &[0x1f, 0x81, 1, 0],
            &[0x04],
            &[],
        ] {
            assert!(Der::new(bytes).element().is_none(), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn elements_never_reach_past_their_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let taken: usize = Der::new(&bytes).map(|element| element.whole.len()).sum();
            prop_assert!(taken <= bytes.len());
        }
    }
}
