use std::net::TcpListener;

use crate::world::House;

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let house = House::new();
    let address = house.settings().server.listen[0].address;
    let _other = TcpListener::bind(address).unwrap();
    let said = house.run(&["serve"]).failed(1);
    assert!(said.contains(&address.to_string()), "{said}");
}

#[test]
fn a_second_gateway_on_the_same_store_does_not_start() {
    let house = House::new();
    let _node = house.start();
    let other = House::new();
    let url = house.path("data/gateway.db");
    let text = std::fs::read_to_string(other.config()).unwrap();
    let text = text.replace("data/gateway.db", url.to_str().unwrap());
    std::fs::write(other.config(), text).unwrap();

    let said = other.run(&["serve"]).failed(1);

    assert!(said.contains("is in use"), "{said}");
    assert_eq!(house.json(&["user", "list"]), serde_json::json!([]));
}

#[test]
fn a_store_that_is_locked_without_a_socket_says_what_to_do() {
    let house = House::new();
    let _node = house.start();
    let text = std::fs::read_to_string(house.config()).unwrap();
    let moved = text.replace("[admin]\n", "[admin]\nsocket = \"elsewhere.sock\"\n");
    std::fs::write(house.config(), moved).unwrap();

    let said = house.run(&["user", "list"]).failed(1);

    assert!(said.contains("is in use"), "{said}");
    assert!(
        said.contains("check that both read the same configuration"),
        "{said}"
    );
}

#[test]
fn a_socket_that_a_killed_node_left_is_no_node() {
    let house = House::new();
    drop(house.start());
    assert!(house.settings().admin.socket.exists());
    assert_eq!(house.json(&["user", "list"]), serde_json::json!([]));
}
