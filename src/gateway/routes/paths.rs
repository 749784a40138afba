use http::Method;

use crate::config::{Place, Reach};
use crate::http::NormalPath;

/// The places of one host, by path: a tree of segments.
#[derive(Debug, Default)]
pub(super) struct Paths(Segment);

/// What stands at a segment: for the path that ends here, and for it and all below.
#[derive(Debug, Default)]
struct Segment {
    /// Sorted, as a backend reads them: decoded.
    segments: Vec<(Box<[u8]>, Self)>,
    exact: Rules,
    below: Rules,
}

/// The routes of one place, which differ by method alone.
#[derive(Debug, Default)]
pub(super) struct Rules {
    by_method: Vec<(Method, usize)>,
    /// The route of every other method.
    others: Option<usize>,
}

impl Paths {
    pub(super) fn add(&mut self, place: &Place, index: usize) {
        let path = decoded(&place.path);
        let segment = path
            .split(|byte| *byte == b'/')
            .skip(1)
            .fold(&mut self.0, Segment::of);
        match place.reach {
            Reach::Exact => segment.exact.add(place, index),
            Reach::Below => segment.below.add(place, index),
        }
    }

    /// What stands at `path` itself, else at the longest path that it is below. A slash at its end
    /// makes no difference: backends read it both ways.
    pub(super) fn find(&self, path: &[u8]) -> Option<&Rules> {
        let mut segment = &self.0;
        let mut longest = None;
        let mut rest = path.strip_suffix(b"/").unwrap_or(path);
        loop {
            longest = segment.below.there().or(longest);
            // What is left is nothing, or begins with a slash.
            let Some((_, behind)) = rest.split_first() else {
                return segment.exact.there().or(longest);
            };
            if segment.segments.is_empty() {
                return longest;
            }
            let end = memchr::memchr(b'/', behind).unwrap_or(behind.len());
            let (name, left) = behind.split_at_checked(end)?;
            let Some(next) = segment.find(name) else {
                return longest;
            };
            (segment, rest) = (next, left);
        }
    }
}

impl Segment {
    /// The segment `name` below this one.
    fn of<'a>(&'a mut self, name: &[u8]) -> &'a mut Self {
        let at = self.at(name).unwrap_or_else(|at| {
            self.segments.insert(at, (name.into(), Self::default()));
            at
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or put there")]
        let found = &mut self.segments[at].1;
        found
    }

    fn find(&self, name: &[u8]) -> Option<&Self> {
        let at = self.at(name).ok()?;
        self.segments.get(at).map(|(_, segment)| segment)
    }

    fn at(&self, name: &[u8]) -> Result<usize, usize> {
        self.segments
            .binary_search_by(|(other, _)| (**other).cmp(name))
    }
}

impl Rules {
    /// The route for this method.
    pub(super) fn find(&self, method: &str) -> Option<usize> {
        let listed = self.by_method.iter().find(|(own, _)| own == method);
        listed.map(|(_, index)| *index).or(self.others)
    }

    /// The methods that are listed, as `Allow` has them.
    pub(super) fn allow(&self) -> String {
        let methods: Vec<_> = self
            .by_method
            .iter()
            .map(|(method, _)| method.as_str())
            .collect();
        methods.join(", ")
    }

    fn add(&mut self, place: &Place, index: usize) {
        match &place.methods {
            Some(methods) => {
                let methods = methods.iter().map(|method| (method.clone(), index));
                self.by_method.extend(methods);
            }
            None => self.others = Some(index),
        }
    }

    /// Itself, if there are any.
    fn there(&self) -> Option<&Self> {
        (self.others.is_some() || !self.by_method.is_empty()).then_some(self)
    }
}

/// A path of the configuration as backends read it.
fn decoded(path: &str) -> Vec<u8> {
    let normal = NormalPath::parse(path);
    normal.map_or_else(|_| path.into(), |path| path.reading().into_owned())
}
