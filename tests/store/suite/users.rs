use dariet_gateway::domain::{Email, Role, UserName};
use dariet_gateway::store::{Change, Durability, StoreError, UserRecord};

use crate::support::{
    Made, admin, at, at_once, change, email, given, given_keys, key, recorded, reset, viewer, wait,
};

pub(crate) async fn a_user_is_found_by_id_and_by_every_spelling_of_their_address(
    make: &dyn Fn() -> Made,
) {
    let store = make();
    let ada = admin("ada");

    let answer = store.create_user(ada.clone()).await.unwrap();

    assert_eq!(answer.change, Change::Addition);
    assert!(matches!(
        answer.durability,
        Durability::Local | Durability::Primary | Durability::Replicated
    ));
    assert_eq!(store.user(ada.id).await.unwrap().unwrap(), ada);
    for typed in ["ada@example.com", " ADA@Example.COM "] {
        let typed = Email::parse(typed).unwrap();
        assert_eq!(store.user_by_email(&typed).await.unwrap().unwrap(), ada);
    }
    let nobody = viewer("nobody");
    assert!(store.user(nobody.id).await.unwrap().is_none());
    assert!(store.user_by_email(&nobody.email).await.unwrap().is_none());
}

pub(crate) async fn an_address_belongs_to_one_user(make: &dyn Fn() -> Made) {
    let store = make();
    let (ada, bob) = (admin("ada"), viewer("bob"));
    given(&store, &[&ada, &bob]).await;

    let mut twin = viewer("twin");
    twin.email = Email::parse("ADA@example.com").unwrap();
    let created = store.create_user(twin.clone()).await;
    let updated = change(&store, bob.id, |bob| bob.email = twin.email.clone()).await;

    assert!(
        matches!(created, Err(StoreError::EmailTaken)),
        "{created:?}"
    );
    assert!(
        matches!(updated, Err(StoreError::EmailTaken)),
        "{updated:?}"
    );
    assert!(store.user(twin.id).await.unwrap().is_none());
    assert_eq!(store.user(bob.id).await.unwrap().unwrap(), bob);
    assert_eq!(store.user_by_email(&bob.email).await.unwrap().unwrap(), bob);
}

pub(crate) async fn an_address_that_was_given_up_is_free_and_finds_nobody(make: &dyn Fn() -> Made) {
    let store = make();
    let (ada, bob) = (admin("ada"), viewer("bob"));
    given(&store, &[&ada, &bob]).await;

    change(&store, bob.id, |bob| bob.email = email("robert"))
        .await
        .unwrap();

    assert!(store.user_by_email(&bob.email).await.unwrap().is_none());
    let robert = store.user_by_email(&email("robert")).await.unwrap();
    assert_eq!(robert.unwrap().id, bob.id);
    let mut respelt = viewer("bob");
    given(&store, &[&respelt]).await;
    respelt.email = Email::parse("Bob@example.com").unwrap();
    recorded(store.update_user(respelt.clone())).await;
    let found = store.user_by_email(&email("bob")).await.unwrap().unwrap();
    assert_eq!(found.email.as_str(), "Bob@example.com");
}

pub(crate) async fn an_id_is_taken_once(make: &dyn Fn() -> Made) {
    let store = make();
    let ada = admin("ada");
    given(&store, &[&ada]).await;

    let again = UserRecord {
        id: ada.id,
        ..viewer("again")
    };
    let answer = store.create_user(again).await;

    assert!(matches!(answer, Err(StoreError::Conflict)), "{answer:?}");
    assert_eq!(store.user(ada.id).await.unwrap().unwrap(), ada);
}

pub(crate) async fn users_come_in_order_of_creation_page_by_page(make: &dyn Fn() -> Made) {
    let store = make();
    let users: Vec<_> = (0..7).map(|n| viewer(&format!("user{n}"))).collect();
    for user in users.iter().rev() {
        given(&store, &[user]).await;
    }

    let mut seen = Vec::new();
    while let page = store.users(seen.last().copied(), 3).await.unwrap()
        && !page.is_empty()
    {
        assert!(page.len() <= 3);
        seen.extend(page.into_iter().map(|user| user.id));
    }

    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    assert_eq!(seen, ids);
    assert!(store.users(None, 0).await.unwrap().is_empty());
    assert_eq!(store.users(None, usize::MAX).await.unwrap(), users);
}

pub(crate) async fn an_update_needs_the_version_that_was_read(make: &dyn Fn() -> Made) {
    let store = make();
    let ada = admin("ada");
    given(&store, &[&ada]).await;

    recorded(store.update_user(ada.clone())).await;
    let stale = store.update_user(ada.clone()).await;

    assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
    let stored = store.user(ada.id).await.unwrap().unwrap();
    assert_eq!(stored.version, ada.version + 1);
    recorded(store.update_user(stored)).await;
    let nobody = store.update_user(viewer("nobody")).await;
    assert!(matches!(nobody, Err(StoreError::NotFound)), "{nobody:?}");
}

pub(crate) async fn a_refused_update_changes_nothing(make: &dyn Fn() -> Made) {
    let store = make();
    let mut ada = admin("ada");
    ada.reset = Some(reset());
    given(&store, &[&ada]).await;

    let mut demoted = ada.clone();
    demoted.role = Role::Viewer;
    demoted.email = email("moved");
    demoted.reset = None;
    let refused = store.update_user(demoted).await;

    assert!(matches!(refused, Err(StoreError::LastAdmin)), "{refused:?}");
    assert_eq!(store.user_by_email(&ada.email).await.unwrap().unwrap(), ada);
    assert!(
        store
            .user_by_email(&email("moved"))
            .await
            .unwrap()
            .is_none()
    );
    let token = ada.reset.unwrap().digest;
    assert_eq!(store.user_by_reset(token).await.unwrap().unwrap(), ada);
}

pub(crate) async fn what_an_update_means_depends_on_what_it_changes(make: &dyn Fn() -> Made) {
    let store = make();
    let bob = viewer("bob");
    given(&store, &[&admin("ada"), &bob]).await;
    let user = bob.id;
    let (all, sessions, reread) = (
        Change::User { user },
        Change::Sessions { user },
        Change::Reread { user },
    );
    type Edit = fn(&mut UserRecord);
    let steps: [(Edit, Change); 10] = [
        (|_| (), Change::Addition),
        (|bob| bob.password = "other".to_owned(), Change::Addition),
        (|bob| bob.reset = Some(reset()), Change::Addition),
        (|bob| bob.name = UserName::parse("Bobby").unwrap(), reread),
        (|bob| bob.email = email("bobby"), reread),
        (|bob| bob.role = Role::Admin, reread),
        (|bob| bob.epoch += 1, sessions),
        (
            |bob| (bob.epoch, bob.role) = (bob.epoch + 1, Role::Viewer),
            sessions,
        ),
        (
            |bob| (bob.epoch, bob.is_active) = (bob.epoch + 1, false),
            all,
        ),
        (|bob| bob.is_active = true, reread),
    ];

    for (step, (edit, meaning)) in steps.into_iter().enumerate() {
        let answer = change(&store, user, edit).await.unwrap();
        assert_eq!(answer, meaning, "step {step}");
    }
}

pub(crate) async fn only_the_live_reset_token_finds_its_user(make: &dyn Fn() -> Made) {
    let store = make();
    let (ada, bob) = (admin("ada"), viewer("bob"));
    given(&store, &[&ada, &bob]).await;
    let (first, second) = (reset(), reset());
    let holder = async |token: dariet_gateway::store::LiveReset| {
        let user = store.user_by_reset(token.digest).await.unwrap();
        user.map(|user| user.id)
    };

    change(&store, bob.id, |bob| bob.reset = Some(first))
        .await
        .unwrap();
    assert_eq!(holder(first).await, Some(bob.id));

    change(&store, bob.id, |bob| {
        bob.name = UserName::parse("B").unwrap();
    })
    .await
    .unwrap();
    assert_eq!(holder(first).await, Some(bob.id));

    change(&store, bob.id, |bob| bob.reset = Some(second))
        .await
        .unwrap();
    assert_eq!(
        (holder(first).await, holder(second).await),
        (None, Some(bob.id))
    );

    change(&store, bob.id, |bob| bob.reset = None)
        .await
        .unwrap();
    assert_eq!(holder(second).await, None);

    change(&store, bob.id, |bob| bob.reset = Some(first))
        .await
        .unwrap();
    recorded(store.delete_user(bob.id, at(1))).await;
    assert_eq!(holder(first).await, None);
}

pub(crate) async fn the_last_active_admin_stays(make: &dyn Fn() -> Made) {
    let store = make();
    let (ada, bob) = (admin("ada"), admin("bob"));
    given(&store, &[&ada, &bob, &viewer("eve")]).await;

    change(&store, bob.id, |bob| bob.is_active = false)
        .await
        .unwrap();
    let demoted = change(&store, ada.id, |ada| ada.role = Role::Viewer).await;
    let idle = change(&store, ada.id, |ada| ada.is_active = false).await;
    let deleted = store.delete_user(ada.id, at(1)).await;

    assert!(matches!(demoted, Err(StoreError::LastAdmin)), "{demoted:?}");
    assert!(matches!(idle, Err(StoreError::LastAdmin)), "{idle:?}");
    assert!(matches!(deleted, Err(StoreError::LastAdmin)), "{deleted:?}");
    recorded(store.delete_user(bob.id, at(1))).await;
    let eve = store.user_by_email(&email("eve")).await.unwrap().unwrap();
    change(&store, eve.id, |eve| eve.role = Role::Admin)
        .await
        .unwrap();
    recorded(store.delete_user(ada.id, at(2))).await;
}

pub(crate) async fn two_last_admins_who_demote_each_other_leave_one(make: &dyn Fn() -> Made) {
    for _ in 0..20 {
        let store = make();
        let admins = [admin("ada"), admin("bob")];
        given(&store, &[&admins[0], &admins[1]]).await;

        let demote = |admin: &UserRecord| {
            let mut demoted = admin.clone();
            demoted.role = Role::Viewer;
            let store = &store;
            move || wait(store.update_user(demoted))
        };
        let answers = at_once(admins.iter().map(demote).collect());

        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        let is_refusal = |it: &Result<_, _>| matches!(it, Err(StoreError::LastAdmin));
        let refused = answers.iter().filter(|answer| is_refusal(answer)).count();
        assert_eq!((won, refused), (1, 1), "{answers:?}");
    }
}

pub(crate) async fn of_two_updates_of_one_version_one_is_a_conflict(make: &dyn Fn() -> Made) {
    let store = make();
    let mut ada = admin("ada");
    given(&store, &[&ada]).await;

    for _ in 0..20 {
        let write = |_| || wait(store.update_user(ada.clone()));
        let answers = at_once((0..2).map(write).collect());

        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        let is_conflict = |it: &Result<_, _>| matches!(it, Err(StoreError::Conflict));
        let lost = answers.iter().filter(|answer| is_conflict(answer)).count();
        assert_eq!((won, lost), (1, 1), "{answers:?}");
        ada = store.user(ada.id).await.unwrap().unwrap();
    }
    assert_eq!(ada.version, 20);
}

pub(crate) async fn one_of_many_users_gets_the_address(make: &dyn Fn() -> Made) {
    let store = make();
    let claim = |_| || wait(store.create_user(viewer("wanted")));

    let answers = at_once((0..12).map(claim).collect());

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(store.users(None, 100).await.unwrap().len(), 1);
}

pub(crate) async fn a_deleted_user_is_gone_and_their_keys_are_tombstones(make: &dyn Fn() -> Made) {
    let store = make();
    let (ada, bob) = (admin("ada"), viewer("bob"));
    let (old, new, other) = (key(&bob, "old"), key(&bob, "new"), key(&ada, "other"));
    given(&store, &[&ada, &bob]).await;
    given_keys(&store, &[&old, &new, &other]).await;
    recorded(store.revoke_key(old.id, at(1))).await;

    let answer = recorded(store.delete_user(bob.id, at(2))).await;

    assert_eq!(answer, Change::User { user: bob.id });
    assert!(store.user(bob.id).await.unwrap().is_none());
    assert!(store.user_by_email(&bob.email).await.unwrap().is_none());
    assert_eq!(store.users(None, 9).await.unwrap(), [ada]);
    for (key, moment) in [(old, at(1)), (new, at(2))] {
        let owned = store.owned_key(key.digest).await.unwrap().unwrap();
        assert_eq!(owned.key.revoked_at, Some(moment));
        assert!(owned.owner.is_none());
    }
    let other = store.owned_key(other.digest).await.unwrap().unwrap();
    assert_eq!(other.key.revoked_at, None);
    let again = store.delete_user(bob.id, at(3)).await;
    assert!(matches!(again, Err(StoreError::NotFound)), "{again:?}");
    given(&store, &[&viewer("bob")]).await;
}
