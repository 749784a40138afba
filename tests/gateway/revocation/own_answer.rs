//! The answer of the call that revokes arrives, although it ends its own credential.

use serde_json::json;

use crate::support::message::Call;
use crate::support::setup::Setup;
use crate::support::world::Version;

#[tokio::test]
async fn a_log_out_is_answered() {
    let world = Setup::new().start().await;
    let user = world.new_user("ada", "viewer").await;

    for version in Version::ALL {
        let session = world.log_in(&user.email, &user.password).await;
        let mut client = world.client(version).await;
        let me = Call::get("/api/auth/me").bearer(&session.token);
        client.call(&me).await.expect(200);

        let call = Call::post("/api/auth/logout").bearer(&session.token);
        client.call(&call).await.expect(204);

        assert_eq!(client.call(&me).await.code(), "session_revoked");
    }
}

#[tokio::test]
async fn a_change_of_password_is_answered_with_a_new_session() {
    let world = Setup::new().start().await;
    let mut user = world.new_user("ada", "viewer").await;

    for (version, password) in Version::ALL.into_iter().zip(["marjoram-77", "balloon-99x"]) {
        let mut client = world.client(version).await;
        let body = json!({"current_password": user.password, "new_password": password});
        let call = Call::post("/api/auth/change-password").bearer(&user.token);
        let answer = client.call(&call.json(&body)).await.expect(200).json();

        user.token = answer["access_token"].as_str().unwrap().to_owned();
        password.clone_into(&mut user.password);
        let me = Call::get("/api/auth/me").bearer(&user.token);
        client.call(&me).await.expect(200);
    }
}

#[tokio::test]
async fn a_key_that_deletes_itself_is_answered() {
    let manage = "[api_keys]\nmay_manage = true";
    let world = Setup::new().toml(manage).start().await;

    for version in Version::ALL {
        let key = world.new_key(world.administrator()).await;
        let mut client = world.client(version).await;
        let call = Call::delete(&format!("/api/api-keys/{}", key.id)).bearer(&key.key);

        client.call(&call).await.expect(204);

        assert_eq!(client.call(&call).await.code(), "key_revoked");
    }
}

#[tokio::test]
async fn an_administrator_who_sets_their_own_password_is_answered() {
    let world = Setup::new().start().await;

    for version in Version::ALL {
        let user = world
            .new_user(&format!("{version:?}").to_lowercase(), "admin")
            .await;
        let mut client = world.client(version).await;
        let call = Call::new("PATCH", &format!("/api/auth/users/{}", user.user));
        let call = call
            .bearer(&user.token)
            .json(&json!({"password": "marjoram-balloon-77"}));

        client.call(&call).await.expect(200);

        assert_eq!(client.call(&call).await.code(), "session_revoked");
    }
}
