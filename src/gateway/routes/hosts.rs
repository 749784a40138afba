use super::paths::{Paths, Rules};
use crate::config::{HostPattern, Place};

/// The places of all routes, by host: a tree of labels from the right, so that what a name costs is
/// bounded by the longest host of the configuration, however long the client makes its own.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    root: Label,
    /// Of routes for every host.
    any: Paths,
}

/// What stands at a label: for the name that ends here, and for all names below it.
#[derive(Debug, Default)]
struct Label {
    /// Sorted.
    labels: Vec<(Box<str>, Self)>,
    here: Paths,
    below: Paths,
}

impl Hosts {
    /// Adds the route of this index.
    pub(super) fn add(&mut self, place: &Place, index: usize) {
        if place.hosts.is_empty() {
            self.any.add(place, index);
        }
        for host in &place.hosts {
            let paths = match host {
                HostPattern::Name(name) => &mut self.root.of(name).here,
                HostPattern::Below(name) => &mut self.root.of(name).below,
            };
            paths.add(place, index);
        }
    }

    /// What stands at the most special place that a request stands in; `path` as
    /// [`NormalPath::reading`](crate::http::NormalPath::reading) gives it.
    pub(super) fn find(&self, host: Option<&str>, path: &[u8]) -> Option<&Rules> {
        let host = host.filter(|_| !self.root.labels.is_empty());
        let by_host = host.and_then(|host| self.root.find(host, path));
        by_host.or_else(|| self.any.find(path))
    }
}

impl Label {
    /// The label at which `name` ends.
    fn of(&mut self, name: &str) -> &mut Self {
        let (rest, label) = split(name);
        let at = self.at(label);
        let at = at.unwrap_or_else(|at| {
            self.labels.insert(at, (label.into(), Self::default()));
            at
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or put there")]
        let found = &mut self.labels[at].1;
        match rest {
            Some(rest) => found.of(rest),
            None => found,
        }
    }

    /// `name` is what stands left of this label. It goes no deeper than the configuration does.
    fn find(&self, name: &str, path: &[u8]) -> Option<&Rules> {
        let (rest, label) = split(name);
        let next = self.at(label).ok().and_then(|at| self.labels.get(at));
        let deeper = next.and_then(|(_, next)| match rest {
            Some(rest) => next.find(rest, path),
            None => next.here.find(path),
        });
        deeper.or_else(|| self.below.find(path))
    }

    fn at(&self, label: &str) -> Result<usize, usize> {
        let lower = |byte: &u8| byte.to_ascii_lowercase();
        self.labels.binary_search_by(|(other, _)| {
            let label = label.as_bytes().iter().map(lower);
            other.bytes().cmp(label)
        })
    }
}

/// The last label of a name, and what stands before it.
fn split(name: &str) -> (Option<&str>, &str) {
    match name.rsplit_once('.') {
        Some((rest, label)) => (Some(rest), label),
        None => (None, name),
    }
}
