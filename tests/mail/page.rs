use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use dariet_gateway::api::reset_page;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::browser::Browser;

const PAGE: &str = "/api/auth/reset-password";

/// The page, and endpoints behind it that answer what the test says and keep what was posted.
struct Gateway {
    address: SocketAddr,
    answers: Arc<Mutex<VecDeque<Response<Full<Bytes>>>>>,
    posted: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Gateway {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let gateway = Self {
            address: listener.local_addr().unwrap(),
            answers: Arc::default(),
            posted: Arc::default(),
        };
        let (answers, posted) = (gateway.answers.clone(), gateway.posted.clone());
        std::thread::spawn(move || serve(listener, &answers, &posted));
        gateway
    }

    fn page(&self, fragment: &str) -> String {
        format!("http://{}{PAGE}{fragment}", self.address)
    }

    /// The next post is answered like this.
    fn will_answer(&self, status: u16, headers: &[(&str, &str)], body: &Value) {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let body = Full::from(body.to_string());
        self.answers.lock().push_back(response.body(body).unwrap());
    }

    fn posted(&self) -> Vec<(String, Value)> {
        self.posted.lock().clone()
    }
}

type Answers = Mutex<VecDeque<Response<Full<Bytes>>>>;
type Posted = Mutex<Vec<(String, Value)>>;

/// Ends with the test program.
fn serve(listener: std::net::TcpListener, answers: &Arc<Answers>, posted: &Arc<Posted>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (answers, posted) = (Arc::clone(answers), Arc::clone(posted));
            let service = service_fn(move |request| {
                answer(request, Arc::clone(&answers), Arc::clone(&posted))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

async fn answer(
    request: Request<Incoming>,
    answers: Arc<Answers>,
    posted: Arc<Posted>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().to_string();
    if request.method() == Method::GET && path == PAGE {
        return Ok(reset_page().map(Full::new));
    }
    let body = request.into_body().collect().await?.to_bytes();
    posted
        .lock()
        .push((path, serde_json::from_slice(&body).unwrap_or_default()));
    let answer = answers.lock().pop_front();
    Ok(answer.unwrap_or_else(|| {
        Response::builder()
            .status(404)
            .body(Full::default())
            .unwrap()
    }))
}

fn set_password(browser: &Browser, password: &str) {
    browser.write("#password", password);
    browser.write("#repeat", password);
    browser.click("#choose [type=submit]");
}

#[test]
fn a_new_password_is_set_with_the_token_of_the_link() {
    let gateway = Gateway::start();
    let browser = Browser::start();
    gateway.will_answer(200, &[], &json!({"message": "done"}));

    browser.open(&gateway.page("#token=t0%2Bk-en"));
    browser.find("[data-view=choose]");
    assert_eq!(
        browser.url(),
        gateway.page(""),
        "the token left the address bar"
    );
    set_password(&browser, "grünes Fahrrad");

    browser.find("[data-view=done]");
    assert_eq!(browser.text("h1"), "Your password is changed");
    let body = json!({"token": "t0+k-en", "new_password": "grünes Fahrrad"});
    assert_eq!(gateway.posted(), [(PAGE.to_owned(), body)]);
    let kept = browser.run("return document.documentElement.outerHTML + location + history.length");
    assert!(!kept.as_str().unwrap().contains("t0"), "{kept}");
    let fields = browser.run("return password.value + repeat.value");
    assert_eq!(fields, "");
}

#[test]
fn the_pages_own_style_and_script_run_and_nothing_is_refused() {
    let gateway = Gateway::start();
    let browser = Browser::start();

    browser.open(&gateway.page("#token=abc"));
    browser.find("[data-view=choose]");

    let radius = browser.run("return getComputedStyle(password).borderRadius");
    assert_ne!(radius, "0px");
    let console = browser.console();
    assert!(
        console
            .iter()
            .all(|line| line["source"] == "recommendation"),
        "{console:?}"
    );
}

#[test]
fn two_different_passwords_are_not_sent() {
    let gateway = Gateway::start();
    let browser = Browser::start();
    browser.open(&gateway.page("#token=abc"));

    browser.click("#choose [type=submit]");
    assert_eq!(
        browser.text("#password-wrong"),
        "Please write a new password."
    );
    browser.write("#password", "correct horse");
    browser.write("#repeat", "correct house");
    browser.click("#choose [type=submit]");

    assert_eq!(browser.text("#repeat-wrong"), "The two are not the same.");
    assert_eq!(browser.run("return document.activeElement.id"), "repeat");
    browser.click("#show");
    assert_eq!(
        browser.run("return password.type + ' ' + repeat.type"),
        "text text"
    );
    assert_eq!(browser.text("#show"), "Hide");
    assert!(gateway.posted().is_empty());
}

#[test]
fn a_refused_password_says_why_and_the_token_can_be_used_again() {
    let gateway = Gateway::start();
    let browser = Browser::start();
    gateway.will_answer(
        422,
        &[],
        &json!({
            "detail": "some fields are not valid; each is named",
            "errors": [{"field": "new_password", "message": "is one of the most common ones; choose another"}],
        }),
    );
    gateway.will_answer(200, &[], &json!({"message": "done"}));
    browser.open(&gateway.page("#token=abc"));

    set_password(&browser, "password1");
    browser.find("#password[aria-invalid=true]");
    assert_eq!(
        browser.text("#password-wrong"),
        "The password is one of the most common ones; choose another."
    );
    set_password(&browser, "a much better one");

    browser.find("[data-view=done]");
    let tokens: Vec<_> = gateway
        .posted()
        .iter()
        .map(|(_, body)| body["token"].clone())
        .collect();
    assert_eq!(tokens, ["abc", "abc"]);
}

#[test]
fn a_link_that_is_used_up_leads_to_a_new_one() {
    let gateway = Gateway::start();
    let browser = Browser::start();
    let detail = "the reset link was used, replaced or has expired; ask for a new one";
    let problem = json!({"code": "reset_token_invalid", "detail": detail});
    gateway.will_answer(400, &[], &problem);
    gateway.will_answer(200, &[], &json!({"message": "sent"}));
    browser.open(&gateway.page("#token=old"));

    set_password(&browser, "a very good one");
    browser.find("[data-view=ask]");
    assert_eq!(
        browser.text("#trouble"),
        "The reset link was used, replaced or has expired; ask for a new one."
    );
    browser.write("#email", " ada@example.com ");
    browser.click("#ask [type=submit]");

    browser.find("[data-view=sent]");
    assert!(browser.text("#lead").contains("ada@example.com"));
    let (path, body) = gateway.posted().pop().unwrap();
    assert_eq!(path, "/api/auth/forgot-password");
    assert_eq!(body, json!({"email": "ada@example.com"}));
}

#[test]
fn a_page_without_token_asks_for_the_address() {
    let gateway = Gateway::start();
    let browser = Browser::start();

    browser.open(&gateway.page(""));

    browser.find("[data-view=ask]");
    browser.write("#email", "ada");
    browser.click("#ask [type=submit]");
    assert_eq!(
        browser.text("#email-wrong"),
        "Please write an address such as ada@example.com."
    );
    assert!(gateway.posted().is_empty());
}

#[test]
fn a_gateway_that_is_busy_is_asked_again_later() {
    let gateway = Gateway::start();
    let browser = Browser::start();
    gateway.will_answer(
        429,
        &[("Retry-After", "90")],
        &json!({"detail": "too many"}),
    );
    gateway.will_answer(503, &[("Retry-After", "1")], &json!({"detail": "store"}));
    gateway.will_answer(503, &[], &json!({"code": "outcome_unknown"}));
    gateway.will_answer(
        500,
        &[],
        &json!({"detail": "the gateway made a mistake", "request_id": "r-1"}),
    );
    browser.open(&gateway.page("#token=abc"));

    for expected in [
        "That was tried too often. Please try again in 90 seconds.",
        "This cannot be done right now. Please try again in 1 second.",
        "It is not known yet whether the password was changed. Try to log in with the new one; \
         if that fails, try again here.",
        "The gateway made a mistake. If it stays so, tell your administrator this number: r-1",
    ] {
        set_password(&browser, "a very good one");
        browser.find("#trouble:not([hidden])");
        assert_eq!(browser.text("#trouble"), expected);
    }
    assert_eq!(browser.text("#choose [type=submit]"), "Set new password");
}

#[test]
fn another_link_opened_in_the_same_tab_counts() {
    let gateway = Gateway::start();
    let browser = Browser::start();
    gateway.will_answer(200, &[], &json!({"message": "done"}));
    browser.open(&gateway.page(""));
    browser.find("[data-view=ask]");

    browser.run("location.hash = 'token=second'");
    browser.find("[data-view=choose]");
    set_password(&browser, "a very good one");

    browser.find("[data-view=done]");
    assert_eq!(gateway.posted()[0].1["token"], "second");
    assert_eq!(browser.url(), gateway.page(""));
}

/// Its pictures stay in `target/tmp`, for people to look at.
#[test]
fn the_page_fits_a_phone_and_a_screen_in_light_and_dark() {
    let gateway = Gateway::start();
    let browser = Browser::start();
    let devices = [("phone", 320, 640), ("screen", 1280, 800)];

    for (device, width, height) in devices {
        for scheme in ["light", "dark"] {
            look_like(&browser, width, height, scheme);
            browser.open("about:blank");
            browser.open(&gateway.page("#token=abc"));
            browser.find("[data-view=choose]");
            browser.click("#choose [type=submit]");

            let picture = format!("reset-page-{device}-{scheme}.png");
            let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
            browser.screenshot(&folder.join(picture));
            let sideways = "return document.documentElement.scrollWidth > innerWidth";
            assert_eq!(browser.run(sideways), false, "{device}");
            let ink = browser.run("return getComputedStyle(document.body).color");
            let expected = [("light", "rgb(35, 36, 31)"), ("dark", "rgb(233, 232, 225)")];
            assert!(
                expected.contains(&(scheme, ink.as_str().unwrap())),
                "{scheme}: {ink}"
            );
        }
    }
}

fn look_like(browser: &Browser, width: u32, height: u32, scheme: &str) {
    let size =
        json!({"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600});
    browser.devtools("Emulation.setDeviceMetricsOverride", &size);
    let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
    browser.devtools("Emulation.setEmulatedMedia", &media);
}
