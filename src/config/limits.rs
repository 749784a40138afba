//! How often requests may come.

use super::Rate;
use super::section::Section;

/// `{ per = "principal", rate = "100 per 1s", burst = 200 }`: so many requests of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// `per`: whose requests are counted together.
    pub per: Per,
    /// `rate`
    pub rate: Rate,
    /// `burst`: how many may come at once after a quiet time; by default as many as the rate says.
    pub burst: u32,
}

/// Whose requests a limit counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// A user's, by session or key.
    Principal,
    /// An API key's; requests with a session are not counted.
    Key,
    /// A client address's; an IPv6 /64 counts as one.
    Address,
    /// All of a route.
    Route,
}

/// Whom there is to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subjects {
    /// Everybody.
    All,
    /// Nobody is known on a public route.
    WithoutPrincipal,
}

impl Per {
    const WORDS: [(&str, Self); 4] = [
        ("principal", Self::Principal),
        ("key", Self::Key),
        ("address", Self::Address),
        ("route", Self::Route),
    ];

    /// The word for it in the file and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Key => "key",
            Self::Address => "address",
            Self::Route => "route",
        }
    }
}

impl Limit {
    /// Reads every `[[limits]]`: those of all routes.
    pub(super) fn read_all(root: &mut Section<'_>) -> Vec<Self> {
        let title = |index, _: &_| format!("limit {}", index + 1);
        let limits = root.tables("limits", title, |limit| Self::read(limit, Subjects::All));
        limits.into_iter().flatten().collect()
    }

    /// Reads the `limits` of a route.
    pub(super) fn read_list(section: &mut Section<'_>, subjects: Subjects) -> Vec<Self> {
        let elements = section.list("limits").unwrap_or_default();
        let example = "{ per = \"principal\", rate = \"100 per 1s\" }";
        let limits = section.elements(elements, "limits", example, |limit| {
            Self::read(limit, subjects)
        });
        limits.into_iter().flatten().collect()
    }

    fn read(section: &mut Section<'_>, subjects: Subjects) -> Option<Self> {
        let per = section.required("per", "\"principal\"");
        let rate = section.required("rate", "\"100 per 1s\"");
        let burst = section.value("burst");
        let burst = burst.and_then(|burst| burst.count(&(1..=1_000_000)));
        let per = per.and_then(|value| {
            let per = value.choice(&Per::WORDS)?;
            if subjects == Subjects::WithoutPrincipal && matches!(per, Per::Principal | Per::Key) {
                value.wrong(
                    format!(
                        "counts by {}, but a public route looks at no credential",
                        per.as_str()
                    ),
                    "write \"address\" or \"route\"",
                );
            }
            Some(per)
        });
        let rate = rate?.rate()?;
        Some(Self {
            per: per?,
            rate,
            burst: burst.unwrap_or(rate.count),
        })
    }
}
