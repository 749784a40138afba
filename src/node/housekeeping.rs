use std::sync::Arc;
use std::time::Duration;

use crate::domain::Clock;
use crate::revocation::Ledger;
use crate::store::Store;

/// How often key usage is written and forgotten admissions are swept up.
const USAGE_EVERY: Duration = Duration::from_secs(30);
/// How often the store forgets what has had its time.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Writes when keys were used, and has the store forget what has had its time.
pub(super) async fn keep_house(store: Arc<dyn Store>, clock: Arc<dyn Clock>, ledger: Arc<Ledger>) {
    let mut usage = tokio::time::interval(USAGE_EVERY);
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        // Both are cancel safe.
        tokio::select! {
            _ = usage.tick() => write_usage(store.as_ref(), &ledger).await,
            _ = sweep.tick() => sweep_store(store.as_ref(), clock.as_ref()).await,
        }
    }
}

/// By a clock that is ahead of the others', log-outs would be forgotten that the others still need.
async fn sweep_store(store: &dyn Store, clock: &dyn Clock) {
    if !clock.is_agreed() {
        tracing::warn!("store not swept: this node's clock is too far from the store's");
        return;
    }
    if let Err(error) = store.sweep(clock.now()).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "store not swept");
    }
}

/// Writes when keys were used.
pub(super) async fn write_usage(store: &dyn Store, ledger: &Ledger) {
    ledger.sweep();
    let used = ledger.usage().take();
    if used.is_empty() {
        return;
    }
    if let Err(error) = store.note_used(used.clone()).await {
        ledger.usage().give_back(used);
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "key usage not written"
        );
    }
}
