/// A rule that is broken on purpose, at the border of the real code: by what it is told, or by what
/// is done with what it decides. The simulation must find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Every beat is taken for a sure one.
    UnsureBeatsCount,
    /// Knowledge counts from when a beat was answered.
    CountsFromTheAnswer,
    /// A beat is taken to promise only what was applied already.
    BeatOutrunsTheLog,
    /// Another server or history is not seen.
    ServerIsNotSeen,
    /// Another store is not seen.
    StoreIsNotSeen,
    /// A gap or a trimmed log is not seen.
    GapIsNotSeen,
    /// Misses are admitted however stale the node is.
    MissesWhileStale,
    /// What was admitted before goes on to admit however stale the node is.
    HitsWhileStale,
    /// A doubt leaves the ledger and the cache as they are.
    DoubtLeavesAdmissions,
    /// What may be lost is not sent again.
    NothingIsSentAgain,
    /// What is in flight is not checked again.
    NothingIsChecked,
    /// A revocation that outlasts its server counts as recorded.
    LateRevocationsCount,
    /// One of two replicas is enough to acknowledge a beat, though the other may become primary.
    OneReplicaOfTwo,
}

impl Flaw {
    pub(crate) const ALL: [Self; 13] = [
        Self::UnsureBeatsCount,
        Self::CountsFromTheAnswer,
        Self::BeatOutrunsTheLog,
        Self::ServerIsNotSeen,
        Self::StoreIsNotSeen,
        Self::GapIsNotSeen,
        Self::MissesWhileStale,
        Self::HitsWhileStale,
        Self::DoubtLeavesAdmissions,
        Self::NothingIsSentAgain,
        Self::NothingIsChecked,
        Self::LateRevocationsCount,
        Self::OneReplicaOfTwo,
    ];
}
