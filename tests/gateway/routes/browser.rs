//! What a real browser makes of the answers to pages of other origins.

use serde_json::Value;

use crate::browser::Browser;
use crate::support::service::Service;
use crate::support::setup::Setup;

const PAGE: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<p>a page</p>\r\n";

/// What the page reads of an answer, or that it may not.
fn fetch(browser: &Browser, url: &str, options: &str) -> Value {
    browser.run(&format!(
        "return fetch('{url}', {options}).then(
            async answer => [answer.status, await answer.text(), answer.headers.get('x-total')],
            () => 'blocked')"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_listed_origin_reads_answers_and_refusals_and_no_other_page_does() {
    let page = Service::answering(PAGE).await;
    let other = Service::answering(PAGE).await;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Total: 7\r\nAccess-Control-Allow-Origin: *\r\n\r\nhello";
    let service = Service::answering(answer).await;
    let cors = format!(
        "cors = {{ origins = [\"http://{}\"], methods = [\"GET\", \"PUT\"], expose = [\"X-Total\"] }}",
        page.address
    );
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", &cors);
    let world = setup.start().await;
    let url = format!("https://localhost:{}/x", world.https().port());
    let token = &world.administrator().token;
    let with = |method: &str, token: &str| {
        format!("{{method: '{method}', headers: {{Authorization: 'Bearer {token}'}}}}")
    };
    let browser = tokio::task::block_in_place(Browser::start);

    browser.open(&format!("http://{}/", page.address));
    for method in ["GET", "PUT"] {
        let seen = fetch(&browser, &url, &with(method, token));
        assert_eq!(seen, serde_json::json!([200, "hello", "7"]), "{method}");
    }
    // A refusal is read too, and says why.
    let seen = fetch(&browser, &url, &with("GET", "nonsense"));
    assert_eq!(seen[0], 401, "{seen}");
    assert!(
        seen[1].as_str().unwrap().contains("credential_malformed"),
        "{seen}"
    );
    assert_eq!(fetch(&browser, &url, &with("DELETE", token)), "blocked");

    browser.open(&format!("http://{}/", other.address));
    assert_eq!(fetch(&browser, &url, &with("GET", token)), "blocked");
    assert_eq!(fetch(&browser, &url, "{}"), "blocked");
}
