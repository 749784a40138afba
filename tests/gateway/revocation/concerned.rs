//! A revocation cuts what it concerns, and nothing else.

use serde_json::json;

use super::Download;
use crate::support::accounts::{Key, Session};
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::world::World;

/// A user with two sessions and two keys, and a download of each; somebody else's too.
struct Scene {
    world: World,
    user: Session,
    keys: [Key; 2],
    by_session: Download,
    by_other_session: Download,
    by_key: Download,
    by_other_key: Download,
    by_somebody_else: Download,
    _service: Scripted,
}

impl Scene {
    async fn set() -> Self {
        let service = Scripted::start().await;
        let world = Setup::before(service.address).start().await;
        let user = world.new_user("ada", "viewer").await;
        let other = world.log_in(&user.email, &user.password).await;
        let keys = [world.new_key(&user).await, world.new_key(&user).await];
        let somebody = world.new_user("bob", "viewer").await;
        let begin = |credential| Download::begin(&world, &service, credential);
        Self {
            by_session: begin(&user.token).await,
            by_other_session: begin(&other.token).await,
            by_key: begin(&keys[0].key).await,
            by_other_key: begin(&keys[1].key).await,
            by_somebody_else: begin(&somebody.token).await,
            world,
            user,
            keys,
            _service: service,
        }
    }
}

#[tokio::test]
async fn a_deleted_key_takes_nothing_else_along() {
    let scene = Scene::set().await;

    scene.world.revoke(&scene.keys[0]).await;

    scene.by_key.gets_cut().await;
    scene.by_other_key.finishes().await;
    scene.by_session.finishes().await;
    scene.by_other_session.finishes().await;
    scene.by_somebody_else.finishes().await;
}

#[tokio::test]
async fn a_log_out_takes_nothing_else_along() {
    let scene = Scene::set().await;

    scene.world.log_out(&scene.user).await;

    scene.by_session.gets_cut().await;
    scene.by_other_session.finishes().await;
    scene.by_key.finishes().await;
    scene.by_other_key.finishes().await;
    scene.by_somebody_else.finishes().await;
}

#[tokio::test]
async fn another_password_takes_every_session_along_and_no_key() {
    let scene = Scene::set().await;

    let password = "marjoram-balloon-77";
    scene.world.change_password(&scene.user, password).await;

    scene.by_session.gets_cut().await;
    scene.by_other_session.gets_cut().await;
    scene.by_key.finishes().await;
    scene.by_other_key.finishes().await;
    scene.by_somebody_else.finishes().await;
}

#[tokio::test]
async fn a_password_that_an_administrator_sets_takes_every_session_along_and_no_key() {
    let scene = Scene::set().await;

    let change = json!({"password": "marjoram-balloon-77"});
    scene.world.patch_user(&scene.user, &change).await;

    scene.by_session.gets_cut().await;
    scene.by_other_session.gets_cut().await;
    scene.by_key.finishes().await;
    scene.by_other_key.finishes().await;
    scene.by_somebody_else.finishes().await;
}

#[tokio::test]
async fn a_user_who_is_made_inactive_is_cut_off_entirely() {
    let scene = Scene::set().await;

    let change = json!({"is_active": false});
    scene.world.patch_user(&scene.user, &change).await;

    scene.by_session.gets_cut().await;
    scene.by_other_session.gets_cut().await;
    scene.by_key.gets_cut().await;
    scene.by_other_key.gets_cut().await;
    scene.by_somebody_else.finishes().await;
}

#[tokio::test]
async fn a_deleted_user_is_cut_off_entirely() {
    let scene = Scene::set().await;

    scene.world.delete_user(&scene.user).await;

    scene.by_session.gets_cut().await;
    scene.by_other_session.gets_cut().await;
    scene.by_key.gets_cut().await;
    scene.by_other_key.gets_cut().await;
    scene.by_somebody_else.finishes().await;
}

#[tokio::test]
async fn another_name_or_email_cuts_nothing() {
    let scene = Scene::set().await;

    let change = json!({"name": "Ada L.", "email": "countess@example.com"});
    scene.world.patch_user(&scene.user, &change).await;

    scene.by_session.finishes().await;
    scene.by_other_session.finishes().await;
    scene.by_key.finishes().await;
    scene.by_other_key.finishes().await;
    scene.by_somebody_else.finishes().await;
}
