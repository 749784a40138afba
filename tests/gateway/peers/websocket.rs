//! A WebSocket library as the service and as the client.

use serde_json::json;

use crate::peers::program::{self, Served};
use crate::support::certificates;
use crate::support::setup::Setup;

const SCRIPT: &str = "peers/websocket_echo.py";

#[tokio::test]
async fn a_real_client_and_a_real_service_understand_each_other() {
    let echo = Served::by(SCRIPT);
    let world = Setup::before(echo.address).start().await;
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.crt");
    std::fs::write(&authority, certificates::authority()).unwrap();
    let port = world.https().port().to_string();
    let token = &world.administrator().token;
    let told = program::call(SCRIPT, &[&port, authority.to_str().unwrap(), token]).await;

    let expected = json!({
        "protocol": "chat",
        "compressed": ["permessage-deflate"],
        "text": "grüß dich",
        "binary": true,
        "long": true,
        "in pieces": true,
        "pieces": "abc",
        "role": "admin",
        "ping of the service": "pong",
        "ping of the client": true,
        "closed": [4001, "as you like"],
        "protocol of a browser": "chat",
        "nobody": 401,
    });
    assert_eq!(told, expected);
}
