use dariet_gateway::domain::{Email, UserId, UserName};
use serde_json::Value;

use crate::support::{Reply, Session, Setup, Trouble, World};

const PATH: &str = "/api/auth/users";

async fn list(world: &World, credential: &str, query: &str) -> Reply {
    let call = world.call("GET", &format!("{PATH}{query}"));
    call.bearer(credential).send().await
}

/// Fills the store with `User 1` and so on, up to this many users in all.
async fn fill(world: &World, by: &Session, total: usize) {
    let present = names(&list(world, &by.token, "").await.json()).len();
    let pattern = world.record(&by.id).await;
    for number in present..total {
        let mut user = pattern.clone();
        user.id = UserId::new();
        user.email = Email::parse(&format!("user-{number}@example.com")).unwrap();
        user.name = UserName::parse(&format!("User {number}")).unwrap();
        world.accounts.changes.create_user(user).await.unwrap();
    }
}

fn names(users: &Value) -> Vec<String> {
    let users = users.as_array().unwrap().iter();
    users
        .map(|user| user["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_list_is_every_user_oldest_first() {
    let world = World::new().await;
    let admin = world.admin().await;
    let viewer = world.viewer().await;

    let reply = list(&world, &admin.token, "").await.expect(200);

    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("link"), None);
    let users = reply.json();
    assert_eq!(names(&users), ["Ada Lovelace", "Grace Hopper"]);
    assert_eq!(users[1], world.me(&viewer.token).await.json());
}

#[tokio::test]
async fn a_long_list_is_streamed_and_complete() {
    let world = World::new().await;
    let admin = world.admin().await;
    for total in [199, 401] {
        fill(&world, &admin, total).await;
        let answered = world.call("GET", PATH).bearer(&admin.token).answer().await;
        assert!(!answered.response.headers().contains_key("content-length"));
        let names = names(&Reply::read(answered).await.expect(200).json());
        assert_eq!(names.len(), total);
        assert_eq!(names.last(), Some(&format!("User {}", total - 1)));
    }
}

#[tokio::test]
async fn pages_follow_each_other_by_their_link() {
    let world = World::new().await;
    let admin = world.admin().await;
    fill(&world, &admin, 5).await;

    let mut all = Vec::new();
    let mut next = Some(format!("{PATH}?limit=2"));
    let mut sizes = Vec::new();
    while let Some(path) = next {
        let reply = world
            .call("GET", &path)
            .bearer(&admin.token)
            .send()
            .await
            .expect(200);
        let page = names(&reply.json());
        sizes.push(page.len());
        all.extend(page);
        next = reply.header("link").map(|link| {
            let (path, rest) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
            assert_eq!(rest, "; rel=\"next\"");
            path.to_owned()
        });
    }

    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(
        all,
        ["Ada Lovelace", "User 1", "User 2", "User 3", "User 4"]
    );
}

#[tokio::test]
async fn a_page_that_ends_with_the_last_user_has_no_next_one() {
    let world = World::new().await;
    let admin = world.admin().await;
    fill(&world, &admin, 2).await;
    let reply = list(&world, &admin.token, "?limit=2").await.expect(200);
    assert_eq!(names(&reply.json()).len(), 2);
    assert_eq!(reply.header("link"), None);
}

#[tokio::test]
async fn what_comes_after_a_user_can_be_asked_for_without_a_limit() {
    let world = World::new().await;
    let admin = world.admin().await;
    fill(&world, &admin, 3).await;
    let query = format!("?after={}", admin.id);
    let reply = list(&world, &admin.token, &query).await.expect(200);
    assert_eq!(names(&reply.json()), ["User 1", "User 2"]);
    let last = reply.json()[1]["id"].as_str().unwrap().to_owned();
    let reply = list(&world, &admin.token, &format!("?after={last}")).await;
    assert_eq!(reply.expect(200).json(), serde_json::json!([]));
}

#[tokio::test]
async fn every_wrong_parameter_is_named() {
    let world = World::new().await;
    let admin = world.admin().await;
    for limit in ["0", "1001", "-1", "x", "", "1.5"] {
        list(&world, &admin.token, &format!("?limit={limit}"))
            .await
            .wrong(&["limit"]);
    }
    list(&world, &admin.token, "?limit=1000").await.expect(200);
    let reply = list(&world, &admin.token, "?limit=x&after=7").await;
    reply.wrong(&["limit", "after"]);
}

#[tokio::test]
async fn a_list_that_cannot_be_begun_is_503() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.breaks(Trouble::NoLists);
    for query in ["", "?limit=1"] {
        let reply = list(&world, &admin.token, query).await;
        reply.refused(503, "store_unavailable");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_ended_is_visibly_broken() {
    let world = World::new().await;
    let admin = world.admin().await;
    fill(&world, &admin, 250).await;

    let answered = world.call("GET", PATH).bearer(&admin.token).answer().await;
    world.breaks(Trouble::NoLists);
    let reply = Reply::read(answered).await;

    assert_eq!(reply.status, 200);
    assert!(reply.broken.is_some());
    assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
}

#[tokio::test]
async fn a_list_ends_with_its_callers_session() {
    let world = World::new().await;
    let admin = world.admin().await;
    fill(&world, &admin, 250).await;

    let answered = world.call("GET", PATH).bearer(&admin.token).answer().await;
    let logout = world.call("POST", "/api/auth/logout").bearer(&admin.token);
    logout.send().await.expect(204);
    let reply = Reply::read(answered).await;

    assert!(reply.broken.is_some());
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(!text.contains("User 249"));
}

#[tokio::test]
async fn only_an_administrators_session_sees_the_list() {
    let world = World::new().await;
    let admin = world.admin().await;
    let viewer = world.viewer().await;
    let (_, key) = world.key(&admin).await;
    list(&world, &viewer.token, "")
        .await
        .refused(403, "not_allowed");
    list(&world, &key, "")
        .await
        .refused(403, "session_required");
    let operator = world.call("GET", PATH).by_operator().send().await;
    assert_eq!(names(&operator.expect(200).json()).len(), 2);
}

#[tokio::test]
async fn a_key_sees_it_where_keys_may_manage_and_its_owner_may() {
    let setup = Setup {
        may_manage: true,
        ..Setup::default()
    };
    let world = World::with(setup).await;
    let (_, admins) = world.key(&world.admin().await).await;
    let (_, viewers) = world.key(&world.viewer().await).await;
    list(&world, &admins, "").await.expect(200);
    list(&world, &viewers, "").await.refused(403, "not_allowed");
}

#[tokio::test]
async fn head_has_no_body_and_no_made_up_length() {
    let world = World::new().await;
    let admin = world.admin().await;
    let reply = world
        .call("HEAD", PATH)
        .bearer(&admin.token)
        .send()
        .await
        .expect(200);
    assert!(reply.body.is_empty());
    assert_eq!(reply.header("content-length"), None);
}
