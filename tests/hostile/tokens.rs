//! Tokens that are none of ours, or not any more (RFC 8725; the cases of Wycheproof's JOSE vectors, made
//! anew with our own keys): each is 401 with its code, whatever it says of itself.

mod forge;

use std::fs::OpenOptions;
use std::io::Write as _;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use self::forge::{Kit, P256_ORDER, add_order, der, less};
use crate::stage::tell;
use crate::support::accounts::{ADMINISTRATOR, PASSWORD};
use crate::support::message::{Answer, Call};
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::World;

/// A forgery: what it is called, where it is known from, the token, and the code of its refusal.
type Row = (&'static str, &'static str, fn(&Kit) -> String, &'static str);

const MALFORMED: &str = "credential_malformed";
const INVALID: &str = "token_invalid";
const EXPIRED: &str = "session_expired";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // The algorithm (RFC 8725 §3.1).
    ("none", "RFC 8725 §2.1, Wycheproof 16", |kit| kit.unsigned("none"), MALFORMED),
    ("None", "CVE-2015-9235", |kit| kit.unsigned("None"), MALFORMED),
    ("NONE", "CVE-2015-9235", |kit| kit.unsigned("NONE"), MALFORMED),
    ("nOnE", "CVE-2015-9235", |kit| kit.unsigned("nOnE"), MALFORMED),
    ("none, with a space", "CVE-2015-9235", |kit| kit.unsigned("none "), MALFORMED),
    ("none, with a good signature", "RFC 8725 §2.1", |kit| kit.alg(json!("none")), INVALID),
    ("no algorithm", "RFC 7515 §4.1.1", |kit| kit.without("alg"), INVALID),
    ("an empty algorithm", "RFC 7515 §4.1.1", |kit| kit.alg(json!("")), INVALID),
    ("an algorithm of no type", "RFC 7515 §4.1.1", |kit| kit.alg(json!(null)), INVALID),
    ("two algorithms", "RFC 7515 §4.1.1", |kit| kit.alg(json!(["EdDSA", "none"])), INVALID),
    ("small letters", "RFC 7515 §4.1.1", |kit| kit.alg(json!("eddsa")), INVALID),
    ("Ed25519 by its new name", "RFC 9864", |kit| kit.alg(json!("Ed25519")), INVALID),
    ("HS256 with the public key", "RFC 8725 §2.1, Wycheproof 31", |kit| kit.hmac("HS256", kit.key.public_key().as_ref()), MALFORMED),
    ("HS256 with the JWK", "RFC 8725 §2.1", |kit| kit.hmac("HS256", kit.header["kid"].as_str().unwrap().as_bytes()), MALFORMED),
    ("HS256 with nothing", "RFC 8725 §3.5", |kit| kit.hmac("HS256", b""), MALFORMED),
    ("HS512 with the public key", "RFC 8725 §2.1", |kit| kit.hmac("HS512", kit.key.public_key().as_ref()), INVALID),
    ("RS256", "RFC 8725 §3.1", |kit| kit.alg(json!("RS256")), INVALID),
    ("PS256", "RFC 8725 §3.1", |kit| kit.alg(json!("PS256")), INVALID),
    ("ES256", "RFC 8725 §3.1", |kit| kit.alg(json!("ES256")), INVALID),
    ("ES512", "RFC 8725 §3.1", |kit| kit.alg(json!("ES512")), INVALID),
    ("an encryption", "RFC 8725 §2.1 (JWE)", |kit| kit.alg(json!("dir")), INVALID),
    // The key (RFC 8725 §3.10).
    ("another key, our name", "RFC 8725 §3.3", |kit| kit.by_other(), INVALID),
    ("another key, its own name", "RFC 7515 §4.1.4", |kit| kit.kid(json!("another")), INVALID),
    ("no name", "docs/api.md, Credentials", |kit| kit.without("kid"), INVALID),
    ("an empty name", "RFC 7515 §4.1.4", |kit| kit.kid(json!("")), INVALID),
    ("a number as the name", "RFC 7515 §4.1.4", |kit| kit.kid(json!(0)), INVALID),
    ("no type of name", "RFC 7515 §4.1.4", |kit| kit.kid(json!(null)), INVALID),
    ("a path as the name", "RFC 8725 §3.10", |kit| kit.kid(json!("../../../../dev/null")), INVALID),
    ("a query as the name", "RFC 8725 §3.10 (injection)", |kit| kit.kid(json!("x' UNION SELECT 'key")), INVALID),
    ("a command as the name", "CVE-2017-17405", |kit| kit.kid(json!("|id")), INVALID),
    ("the name in small letters", "RFC 7515 §4.1.4", |kit| kit.kid(json!(kit.header["kid"].as_str().unwrap().to_lowercase())), INVALID),
    ("a name of 3,000 bytes", "RFC 8725 §3.10", |kit| kit.kid(json!("k".repeat(1500))), INVALID),
    ("a key in the header", "CVE-2018-0114, Wycheproof 32", |kit| kit.embedded_key(), INVALID),
    ("a key behind a URL", "RFC 8725 §3.10 (SSRF)", |kit| kit.more(json!({"jku": "https://127.0.0.1:1/jwks.json"})), INVALID),
    ("a certificate behind a URL", "RFC 8725 §3.10 (SSRF)", |kit| kit.more(json!({"x5u": "https://127.0.0.1:1/x.pem"})), INVALID),
    ("a certificate in the header", "RFC 7515 §4.1.6", |kit| kit.more(json!({"x5c": ["MIIB"]})), INVALID),
    ("a thumbprint in the header", "RFC 7515 §4.1.7", |kit| kit.more(json!({"x5t": "AAAA"})), INVALID),
    // The header.
    ("another type", "RFC 8725 §3.11", |kit| kit.typ(json!("at+jwt")), INVALID),
    ("no type", "RFC 8725 §3.11", |kit| kit.without("typ"), INVALID),
    ("the type in small letters", "RFC 8725 §3.11", |kit| kit.typ(json!("jwt")), INVALID),
    ("a logout token", "RFC 8725 §2.8", |kit| kit.typ(json!("logout+jwt")), INVALID),
    ("a token within the token", "RFC 7519 §5.2", |kit| kit.more(json!({"cty": "JWT"})), INVALID),
    ("something critical", "RFC 7515 §4.1.11, CVE-2025-59420", |kit| kit.more(json!({"crit": ["x"], "x": 1})), INVALID),
    ("nothing critical", "RFC 7515 §4.1.11", |kit| kit.more(json!({"crit": []})), INVALID),
    ("a critical that is no list", "RFC 7515 §4.1.11", |kit| kit.more(json!({"crit": "exp"})), INVALID),
    ("a critical that is known", "RFC 7515 §4.1.11", |kit| kit.more(json!({"crit": ["alg"]})), INVALID),
    ("an unencoded payload", "RFC 7797", |kit| kit.more(json!({"b64": false, "crit": ["b64"]})), INVALID),
    ("a compressed payload", "CVE-2024-21319 (zip)", |kit| kit.more(json!({"zip": "DEF"})), INVALID),
    ("a member more", "docs/api.md, Credentials", |kit| kit.more(json!({"x": 1})), INVALID),
    ("the algorithm twice", "RFC 7515 §4", |kit| kit.header_text(&kit.header.to_string().replace('{', "{\"alg\":\"none\",")), INVALID),
    ("white space in the header", "docs/api.md, Credentials", |kit| kit.header_text(&format!(" {}", kit.header)), MALFORMED),
    ("a line break behind the header", "docs/api.md, Credentials", |kit| kit.header_text(&format!("{}\n", kit.header)), INVALID),
    ("a header that is a list", "RFC 7515 §5.2", |kit| kit.header_text("[]"), MALFORMED),
    ("a header that is a text", "RFC 7515 §5.2", |kit| kit.header_text("\"EdDSA\""), MALFORMED),
    ("a header that is nothing", "RFC 7515 §5.2", |kit| kit.header_text("null"), MALFORMED),
    ("a header that is no JSON", "RFC 7515 §5.2", |kit| kit.header_text("alg=none"), MALFORMED),
    ("an empty object as header", "RFC 7515 §5.2", |kit| kit.header_text("{}"), INVALID),
    ("a deep header", "CVE-2020-36518 (depth)", |kit| kit.header_text(&format!("{{\"a\":{}{}}}", "[".repeat(400), "]".repeat(400))), INVALID),
    // The form (RFC 7515 §3.1; Wycheproof 2 to 15).
    ("nothing", "Wycheproof 13", |_| "..".to_owned(), MALFORMED),
    ("no signature", "Wycheproof 3", |kit| kit.parts(&["h", "p", ""]), MALFORMED),
    ("no signature and no dot", "Wycheproof 4", |kit| kit.parts(&["h", "p"]), MALFORMED),
    ("no payload", "Wycheproof 6", |kit| kit.parts(&["h", "", "s"]), INVALID),
    ("no payload and no dot", "Wycheproof 7", |kit| kit.parts(&["h", "s"]), MALFORMED),
    ("no header", "Wycheproof 9", |kit| kit.parts(&["", "p", "s"]), MALFORMED),
    ("no header and no dot", "Wycheproof 10", |kit| kit.parts(&["p", "s"]), MALFORMED),
    ("no header and no signature", "Wycheproof 11", |kit| kit.parts(&["", "p", ""]), MALFORMED),
    ("the payload alone", "Wycheproof 12", |kit| kit.parts(&["p"]), MALFORMED),
    ("an empty part more", "Wycheproof 14", |kit| kit.parts(&["h", "p", "s", ""]), MALFORMED),
    ("a part more", "Wycheproof 15", |kit| kit.parts(&["h", "p", "s", "s"]), MALFORMED),
    ("five parts", "RFC 7516 §3.1 (JWE)", |kit| kit.parts(&["h", "p", "s", "s", "s"]), MALFORMED),
    ("the signature of another payload", "Wycheproof 5", |kit| kit.parts(&["h", "q", "s"]), INVALID),
    ("a changed signature", "Wycheproof 2", |kit| kit.with_signature(|bytes| bytes[0] ^= 1), INVALID),
    ("a changed last bit of the signature", "Wycheproof 2", |kit| kit.with_signature(|bytes| bytes[63] ^= 1), INVALID),
    ("a signature of nothing", "CVE-2022-21449", |kit| kit.with_signature(|bytes| bytes.fill(0)), INVALID),
    ("a signature of ones", "RFC 8032 §5.1.7", |kit| kit.with_signature(|bytes| bytes.fill(0xff)), INVALID),
    ("a signature whose number is not reduced", "RFC 8032 §5.1.7 (malleability)", |kit| kit.with_signature(|bytes| add_order(bytes)), INVALID),
    ("half a signature", "RFC 8032 §5.1.7", |kit| kit.with_signature(|bytes| bytes.truncate(32)), MALFORMED),
    ("a signature with a byte more", "Wycheproof 318", |kit| kit.with_signature(|bytes| bytes.push(0)), MALFORMED),
    ("a signature with a zero before", "Wycheproof 317", |kit| kit.with_signature(|bytes| bytes.insert(0, 0)), MALFORMED),
    // Base64 in other ways.
    ("padding", "RFC 7515 §2", |kit| kit.parts(&["h", "p", "s=="]), MALFORMED),
    ("padding behind the payload", "RFC 7515 §2", |kit| kit.payload_segment(&URL_SAFE.encode(format!("{} ", kit.claims))), MALFORMED),
    ("the other alphabet", "RFC 7515 §2", |kit| kit.payload_segment(&STANDARD.encode("{\"?>?>?>\":\"~~~~\"}")), MALFORMED),
    ("a plus and a slash", "RFC 7515 §2", |kit| kit.parts(&["h", "+/+/", "s"]), INVALID),
    ("bits that say nothing", "RFC 4648 §3.5", |kit| kit.with_loose_bits(), MALFORMED),
    ("a length that cannot be", "RFC 4648 §4", |kit| kit.parts(&["h", "p", "sA"]), MALFORMED),
    ("a tilde in it", "RFC 7515 §2", |kit| kit.parts(&["h", "p", "~"]), MALFORMED),
    // The claims, rightly signed.
    ("an empty payload", "RFC 7519 §7.2", |kit| kit.payload(""), INVALID),
    ("a payload that is a list", "RFC 7519 §7.2", |kit| kit.payload("[]"), INVALID),
    ("the claims in a list", "RFC 7519 §7.2", |kit| kit.payload(&json!([kit.claims["iss"], kit.claims["aud"], kit.claims["sub"], kit.claims["jti"], kit.claims["iat"], kit.claims["exp"], 1]).to_string()), INVALID),
    ("a payload that is a text", "RFC 7519 §7.2", |kit| kit.payload("\"x\""), INVALID),
    ("a payload that is no JSON", "RFC 7519 §7.2", |kit| kit.payload("sub=root"), INVALID),
    ("a payload that is no UTF-8", "RFC 8725 §3.7", |kit| kit.payload_segment(&BASE64.encode(b"{\"sub\":\"\xff\"}")), INVALID),
    ("a byte order mark", "RFC 8259 §8.1", |kit| kit.payload(&format!("\u{feff}{}", kit.claims)), INVALID),
    ("more behind the claims", "RFC 8259 §2", |kit| kit.payload(&format!("{}{{}}", kit.claims)), INVALID),
    ("half the claims", "RFC 8259 §2", |kit| kit.payload(&kit.claims.to_string()[..60]), INVALID),
    ("no claims", "RFC 7519 §4", |kit| kit.payload("{}"), INVALID),
    ("a deep claim", "CVE-2020-36518 (depth)", |kit| kit.payload(&kit.claims.to_string().replacen("\"sub\":", &format!("\"sub\":{}{},\"x\":", "[".repeat(900), "]".repeat(900)), 1)), INVALID),
    ("a large token", "RFC 8725 §3.2 (cost)", |kit| kit.claim("x", json!("x".repeat(4000))), MALFORMED),
    ("the issuer twice", "RFC 8725 §2.4, CVE-2020-15240", |kit| kit.twice("iss", &json!("https://evil.example")), INVALID),
    ("the user twice", "RFC 7519 §4", |kit| kit.twice("sub", &kit.claims["sub"]), INVALID),
    ("the end twice", "RFC 7519 §4", |kit| kit.twice("exp", &json!(9_999_999_999_i64)), INVALID),
    ("another issuer", "RFC 8725 §3.8", |kit| kit.claim("iss", json!("https://evil.example")), INVALID),
    ("the issuer with a slash", "RFC 8725 §3.8", |kit| kit.claim("iss", json!(format!("{}/", kit.claims["iss"].as_str().unwrap()))), INVALID),
    ("the issuer in capitals", "RFC 8725 §3.8", |kit| kit.claim("iss", json!(kit.claims["iss"].as_str().unwrap().to_uppercase())), INVALID),
    ("a list of issuers", "CVE-2025-48370 (lists of iss)", |kit| kit.claim("iss", json!([kit.claims["iss"]])), INVALID),
    ("another audience", "RFC 8725 §3.9", |kit| kit.claim("aud", json!("somebody-else")), INVALID),
    ("a list of audiences with ours", "docs/api.md, Credentials", |kit| kit.claim("aud", json!([kit.claims["aud"], "x"])), INVALID),
    ("an empty audience", "RFC 8725 §3.9", |kit| kit.claim("aud", json!("")), INVALID),
    ("an empty list of audiences", "CVE-2020-26160", |kit| kit.claim("aud", json!([])), INVALID),
    ("a user that is none", "docs/api.md, Credentials", |kit| kit.claim("sub", json!("root")), INVALID),
    ("an empty user", "docs/api.md, Credentials", |kit| kit.claim("sub", json!("")), INVALID),
    ("a session that is none", "docs/api.md, Credentials", |kit| kit.claim("jti", json!("1")), INVALID),
    ("expired", "RFC 7519 §4.1.4", |kit| kit.claim("exp", json!(kit.now() - 1)), EXPIRED),
    ("expired this second", "RFC 7519 §4.1.4", |kit| kit.claim("exp", json!(kit.now() - 1)), EXPIRED),
    ("expired long ago", "RFC 7519 §4.1.4", |kit| kit.claim("exp", json!(0)), EXPIRED),
    ("expired before time began", "RFC 7519 §2", |kit| kit.claim("exp", json!(i64::MIN)), EXPIRED),
    ("an end beyond all numbers", "RFC 7519 §2", |kit| kit.claim("exp", json!(u64::MAX)), INVALID),
    ("an end with a fraction", "RFC 7519 §2", |kit| kit.claim("exp", json!(9_999_999_999.5)), INVALID),
    ("an end with an exponent", "RFC 7519 §2", |kit| kit.payload(&kit.claims.to_string().replace(&kit.claims["exp"].to_string(), "1e99")), INVALID),
    ("not yet", "RFC 7519 §4.1.5", |kit| kit.claim("nbf", json!(kit.now() + 3600)), INVALID),
    ("issued in the future", "RFC 7519 §4.1.6", |kit| kit.claim("iat", json!(kit.now() + 3600)), INVALID),
    ("not yet, as a text", "RFC 7519 §4.1.5", |kit| kit.claim("nbf", json!("0")), INVALID),
    ("not yet, as nothing", "RFC 7519 §4.1.5", |kit| kit.claim("nbf", json!(null)), INVALID),
    ("another epoch", "docs/api.md, Credentials", |kit| kit.claim("sep", json!(999)), "session_revoked"),
    ("an epoch below all", "docs/api.md, Credentials", |kit| kit.claim("sep", json!(-1)), INVALID),
    ("a user that is not there", "docs/api.md, Credentials", |kit| kit.claim("sub", json!("019cff2a-5a3e-7c51-9a5e-0d1f6c6b2a77")), "user_inactive"),
];

/// Claims that must be there, and what none of them is.
const CLAIMS: [&str; 7] = ["iss", "aud", "sub", "jti", "iat", "exp", "sep"];

fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!({}),
        json!([]),
        json!([1]),
        json!({"a": 1}),
        json!(1.5),
    ]
}

#[tokio::test]
async fn a_token_that_is_not_ours_lets_nobody_in() {
    let service = Service::echo().await;
    let (world, kit) = world(Setup::before(service.address)).await;
    let mut rows: Vec<(String, String, &str)> = ROWS
        .iter()
        .map(|(name, rule, token, code)| (format!("{name} ({rule})"), token(&kit), *code))
        .collect();
    for claim in CLAIMS {
        let mut claims = kit.claims.clone();
        claims.as_object_mut().unwrap().remove(claim);
        let token = kit.payload(&claims.to_string());
        rows.push((
            format!("no {claim} (docs/api.md, Credentials)"),
            token,
            INVALID,
        ));
        for value in odd_values() {
            let name = format!("{claim} is {value} (RFC 8725 §3.2)");
            rows.push((name, kit.claim(claim, value), INVALID));
        }
    }
    let mut wire = world.wire().await;
    let mut wrong = Vec::new();
    for (name, token, code) in &rows {
        for target in ["/x", "/api/auth/me"] {
            let answer = wire.call(&Call::get(target).bearer(token)).await;
            if answer.status != 401 || answer.code() != *code {
                wrong.push(format!("{name}, {target}: {}", shown(&answer)));
            }
        }
    }
    tell("tokens", 2 * rows.len());

    assert!(
        wrong.is_empty(),
        "{} of tokens:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(service.is_quiet());
    // All that while the token itself works, and so does one that the kit makes as the gateway does.
    for token in [&kit.real, &kit.payload(&kit.claims.to_string())] {
        wire.call(&Call::get("/x").bearer(token)).await.expect(200);
    }
}

#[tokio::test]
async fn a_token_of_a_key_that_was_rotated_out_lets_nobody_in() {
    let service = Service::echo().await;
    let (mut world, kit) = world(Setup::before(service.address)).await;
    world.node_mut().stop().await;
    let config = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), config.replace("first.pem", "second.pem")).unwrap();
    make_key(&world, "second.pem");
    world.start().await;

    let call = Call::get("/x").bearer(&kit.real);
    let answer = world.call(&call).await;

    assert_eq!(answer.refusal(), (401, INVALID.to_owned()));
    let new = world.log_in(ADMINISTRATOR, PASSWORD).await;
    let call = Call::get("/x").bearer(&new.token);
    world.call(&call).await.expect(200);
}

/// ECDSA has numbers that once verified for every message, and a twin of every signature.
#[tokio::test]
async fn signatures_of_es256_that_are_no_numbers_let_nobody_in_and_a_twin_dies_with_its_session() {
    let service = Service::echo().await;
    let setup = Setup::before(service.address).toml("[sessions]\nalgorithm = \"ES256\"");
    let world = setup.start().await;
    let session = world.log_in(ADMINISTRATOR, PASSWORD).await;
    let (message, signature) = session.token.rsplit_once('.').unwrap();
    let good = BASE64.decode(signature).unwrap();
    let (r, s) = good.split_at(32);
    let zero = [0; 32];
    let rows: [(&str, Vec<u8>); 9] = [
        ("r and s are 0 (CVE-2022-21449)", [zero, zero].concat()),
        ("r is 0", [&zero, s].concat()),
        ("s is 0", [r, &zero].concat()),
        ("r is the order", [&P256_ORDER, s].concat()),
        ("s is the order", [r, &P256_ORDER].concat()),
        ("both are the order", [P256_ORDER, P256_ORDER].concat()),
        ("r and s exchanged", [s, r].concat()),
        ("both are ones", vec![0xff; 64]),
        ("as DER (RFC 7518 §3.4)", der(r, s)),
    ];
    for (name, signature) in rows {
        let token = format!("{message}.{}", BASE64.encode(signature));
        let answer = world.call(&Call::get("/x").bearer(&token)).await;
        let is_right = [MALFORMED, INVALID].contains(&&*answer.code());
        assert!(
            answer.status == 401 && is_right,
            "{name}: {}",
            shown(&answer)
        );
    }

    let twin = [r, &less(&P256_ORDER, s)].concat();
    let twin = format!("{message}.{}", BASE64.encode(twin));
    world.call(&Call::get("/x").bearer(&twin)).await.expect(200);
    world.log_out(&session).await;
    let answer = world.call(&Call::get("/x").bearer(&twin)).await;

    assert_eq!(answer.refusal(), (401, "session_revoked".to_owned()));
}

fn shown(answer: &Answer) -> String {
    format!(
        "{} {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    )
}

/// A gateway that signs with a key which the test has too.
async fn world(setup: Setup) -> (World, Kit) {
    let (folder, config) = setup.write();
    let mut world = World::of(folder, config);
    let pem = make_key(&world, "first.pem");
    let mut file = OpenOptions::new()
        .append(true)
        .open(world.config())
        .unwrap();
    file.write_all(b"[[sessions.signing_keys]]\nfile = \"first.pem\"\n")
        .unwrap();
    world.make_administrator();
    world.start().await;
    let session = world.log_in(ADMINISTRATOR, PASSWORD).await;
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    let der = STANDARD.decode(lines.collect::<String>()).unwrap();
    let json = |part: &str| serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap();
    let parts: Vec<_> = session.token.split('.').collect();
    let kit = Kit {
        header: json(parts[0]),
        claims: json(parts[1]),
        key: Ed25519KeyPair::from_pkcs8(&der).unwrap(),
        other: Ed25519KeyPair::generate().unwrap(),
        real: session.token,
    };
    (world, kit)
}

fn make_key(world: &World, name: &str) -> String {
    let file = world.config().parent().unwrap().join(name);
    let made = world.command(&["signing-key", "create", file.to_str().unwrap()], "");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    std::fs::read_to_string(file).unwrap()
}
