/// Why everything is doubted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Another server or another history answers; newest writes may be lost.
    Server,
    /// The log ends before what was applied.
    Rewound,
    /// The log was trimmed beyond what was applied.
    Trimmed,
    /// A number was left out.
    Gap,
    /// Another store stood here meanwhile.
    Replaced,
}

impl Doubt {
    /// Every reason, in the order of [`Self::index`].
    pub const ALL: [Self; 5] = [
        Self::Server,
        Self::Rewound,
        Self::Trimmed,
        Self::Gap,
        Self::Replaced,
    ];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word for it in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Rewound => "rewound",
            Self::Trimmed => "trimmed",
            Self::Gap => "gap",
            Self::Replaced => "replaced",
        }
    }
}
