use http::HeaderMap;

use crate::config::HeaderRules;
use crate::http::hop_by_hop;

/// Does to a request what its route says, once nothing of the client's own is there any more that it may
/// not say, and before the gateway says what it knows itself.
pub(super) fn to_upstream(rules: &HeaderRules, headers: &mut HeaderMap) {
    if rules.is_empty() {
        return;
    }
    // The client's `Connection` could else name what is set here, and have it removed.
    hop_by_hop::strip_request(headers);
    apply(rules, headers);
}

/// Does to a head what its route says.
pub(super) fn apply(rules: &HeaderRules, headers: &mut HeaderMap) {
    for name in &rules.remove {
        headers.remove(name);
    }
    for (name, value) in &rules.set {
        headers.insert(name.clone(), value.clone());
    }
    for (name, value) in &rules.add {
        headers.append(name.clone(), value.clone());
    }
}
