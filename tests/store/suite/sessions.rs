use dariet_gateway::domain::SessionId;
use dariet_gateway::store::Change;

use crate::support::{Made, at, days, given, recorded, session, some_digest, viewer};

pub(crate) async fn a_session_shows_its_user_and_whether_it_was_revoked(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    given(&store, &[&bob]).await;
    let ended = session(&bob, at(3600));

    let answer = recorded(store.revoke_session(ended)).await;
    recorded(store.revoke_session(ended)).await;

    let meaning = Change::Session {
        user: bob.id,
        session: ended.id,
    };
    assert_eq!(answer, meaning);
    let view = store.session(ended.id, bob.id).await.unwrap();
    assert_eq!((view.is_revoked, view.user), (true, Some(bob.clone())));
    let view = store.session(SessionId::new(), bob.id).await.unwrap();
    assert_eq!((view.is_revoked, view.user), (false, Some(bob)));
    let view = store.session(ended.id, viewer("nobody").id).await.unwrap();
    assert_eq!((view.is_revoked, view.user), (true, None));
}

pub(crate) async fn an_address_is_known_for_30_days_after_the_last_log_in(make: &dyn Fn() -> Made) {
    let store = make();
    let (bob, eve, address) = (viewer("bob"), viewer("eve"), some_digest());
    let knows = async |user, moment| store.knows_address(user, address, moment).await.unwrap();
    assert!(!knows(bob.id, at(0)).await);

    store
        .remember_address(bob.id, address, at(0))
        .await
        .unwrap();
    assert!(knows(bob.id, at(1).after(days(29))).await);
    assert!(!knows(bob.id, at(0).after(days(30))).await);
    assert!(!knows(eve.id, at(1)).await);
    let other = store.knows_address(bob.id, some_digest(), at(1)).await;
    assert!(!other.unwrap());

    store
        .remember_address(bob.id, address, at(100))
        .await
        .unwrap();
    store
        .remember_address(bob.id, address, at(50))
        .await
        .unwrap();
    assert!(knows(bob.id, at(99).after(days(30))).await);
}
