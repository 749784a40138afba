use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use dariet_gateway::auth::Lane;
use dariet_gateway::domain::Password;

use super::World;

/// A hash of nothing that takes long to compare with.
const DEAR: &str =
    "$argon2id$v=19$m=16384,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Begins a call and, while it waits for a password to be hashed, lets something else happen first.
pub(crate) async fn overtaken<T>(
    world: &World,
    call: impl Future<Output = T>,
    by: impl Future<Output = ()>,
) -> T {
    // The hasher is busy, so that the call surely has to wait for it.
    let keep_busy = |lane| {
        let password = Password::new(String::new());
        Box::pin(world.accounts.hasher.verify(lane, password, Some(DEAR)))
    };
    let mut busy = [keep_busy(Lane::Login), keep_busy(Lane::Change)];
    for lane in &mut busy {
        begin(lane.as_mut()).await;
    }
    let mut call = Box::pin(call);
    begin(call.as_mut()).await;
    Box::pin(by).await;
    call.await
}

async fn begin<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "it did not wait");
        Poll::Ready(())
    })
    .await;
}
