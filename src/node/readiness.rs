use std::sync::Arc;
use std::time::Duration;

use crate::server::{Admin, Drain, Stage};

/// While the node is not ready, which somebody may wait for.
const NOT_READY_PAUSE: Duration = Duration::from_millis(250);
/// While it is: each look asks the store.
const READY_PAUSE: Duration = Duration::from_secs(5);

/// Says whenever the node has become ready for requests, and when it is so no more, as `/readyz` does.
pub(super) async fn tell_readiness(admin: Arc<Admin>, drain: Drain) {
    let mut told = None;
    loop {
        let reason = admin.not_ready().await;
        if drain.stage() > Stage::Serving {
            return;
        }
        let is_ready = reason.is_none();
        if told.as_ref() != Some(&reason) {
            match &reason {
                None => tracing::info!("ready"),
                Some(reason) => tracing::warn!(reason, "not ready"),
            }
            told = Some(reason);
        }
        let pause = if is_ready {
            READY_PAUSE
        } else {
            NOT_READY_PAUSE
        };
        tokio::time::sleep(pause).await;
    }
}
