use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::signing_key::tests::{rfc7517_key, rfc8037_key};
use crate::config::Algorithm;

const ISSUER: &str = "https://gateway.example";
const AUDIENCE: &str = "reports";
const LIFETIME: Duration = Duration::from_secs(3600);
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn tokens_of(key: SigningKey) -> Tokens {
    Tokens::new(KeyRing::single(key).unwrap(), ISSUER, AUDIENCE, LIFETIME)
}

fn tokens() -> Tokens {
    tokens_of(rfc8037_key())
}

fn issue(tokens: &Tokens) -> String {
    let issued = tokens.issue(UserId::new(), 7, NOW).unwrap();
    issued.token.expose().to_owned()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with this header and payload segment, rightly signed.
fn forge(header: &str, payload: &str) -> String {
    let message = format!("{header}.{payload}");
    let signature = rfc8037_key().sign(message.as_bytes()).unwrap();
    format!("{message}.{}", base64(signature))
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77",
        "jti": "0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a78",
        "iat": NOW.as_secs(),
        "exp": NOW.as_secs() + 60,
        "sep": 7,
    })
}

/// What becomes of a rightly signed token with this payload.
fn verified(payload: impl AsRef<[u8]>) -> Result<Claims, TokenError> {
    let token = forge(rfc8037_key().header(), &base64(payload));
    tokens().verify(&token, NOW)
}

fn with(claim: &str, value: Value) -> Result<Claims, TokenError> {
    let mut claims = claims();
    claims[claim] = value;
    verified(claims.to_string())
}

#[test]
fn a_token_that_was_issued_says_what_it_was_issued_for() {
    for key in [rfc8037_key(), rfc7517_key()] {
        let tokens = tokens_of(key);
        let user = UserId::new();

        let issued = tokens.issue(user, u64::MAX, NOW).unwrap();
        let claims = tokens.verify(issued.token.expose(), NOW).unwrap();

        assert_eq!((claims.user, claims.epoch), (user, u64::MAX));
        assert_eq!(claims.session, issued.session);
        assert_eq!(claims.issued_at, NOW);
        assert_eq!(claims.expires_at, NOW.after(LIFETIME));
        assert_eq!(claims.expires_at, issued.expires_at);
        assert_eq!(issued.expires_in, LIFETIME);
    }
}

#[test]
fn a_token_works_as_long_as_promised_and_not_a_second_longer() {
    let tokens = tokens();
    let made_at = NOW.after(Duration::from_millis(1));
    let issued = tokens.issue(UserId::new(), 0, made_at).unwrap();
    let at = |moment| tokens.verify(issued.token.expose(), moment);

    assert!(at(made_at.after(LIFETIME)).is_ok());
    assert_eq!(at(issued.expires_at), Err(TokenError::Expired));
    assert!(issued.expires_at <= made_at.after(LIFETIME + Duration::from_secs(1)));
}

#[test]
fn the_future_is_met_with_30_seconds_of_leeway() {
    let iat = |ahead: i64| with("iat", json!(NOW.as_secs() + ahead));
    let nbf = |ahead: i64| with("nbf", json!(NOW.as_secs() + ahead));
    assert!(iat(30).is_ok() && nbf(30).is_ok() && nbf(-9999).is_ok());
    assert_eq!(iat(31), Err(TokenError::NotYet));
    assert_eq!(nbf(31), Err(TokenError::NotYet));
    assert_eq!(iat(i64::MAX / 2), Err(TokenError::NotYet));
}

#[test]
fn an_expiry_is_met_with_no_leeway() {
    let exp = |ahead: i64| with("exp", json!(NOW.as_secs() + ahead));
    assert!(exp(1).is_ok());
    assert_eq!(exp(0), Err(TokenError::Expired));
    assert_eq!(with("exp", json!(i64::MIN)), Err(TokenError::Expired));
    assert!(with("exp", json!(i64::MAX)).is_ok());
}

#[test]
fn every_claim_is_required() {
    assert!(verified(claims().to_string()).is_ok());
    for claim in ["iss", "aud", "sub", "jti", "iat", "exp", "sep"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        let refused = verified(claims.to_string());
        assert_eq!(refused, Err(TokenError::Claims(Claim::Shape)), "{claim}");
    }
}

#[test]
fn every_claim_has_its_type() {
    let odd = [
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!([ISSUER]),
        json!([AUDIENCE]),
        json!(1.5),
        json!(1e9),
    ];
    for claim in ["iss", "aud", "sub", "jti", "iat", "exp", "nbf", "sep"] {
        let text = matches!(claim, "iss" | "aud" | "sub" | "jti");
        let other = if text { json!(1) } else { json!("1900000000") };
        for value in odd.iter().chain([&other]) {
            let refused = with(claim, value.clone());
            let expected = Err(TokenError::Claims(Claim::Shape));
            assert_eq!(refused, expected, "{claim}: {value}");
        }
    }
    for value in ["-1", "18446744073709551616", "9223372036854775808.0"] {
        let payload = claims()
            .to_string()
            .replace("\"sep\":7", &format!("\"sep\":{value}"));
        assert!(verified(payload).is_err(), "{value}");
    }
}

#[test]
fn every_claim_is_ours() {
    for (claim, value, wrong) in [
        ("iss", "https://gateway.example/", Claim::Issuer),
        ("iss", "", Claim::Issuer),
        ("aud", "Reports", Claim::Audience),
        ("sub", "", Claim::Subject),
        ("sub", "0192a6c05a3e7c519a5e0d1f6c6b2a77", Claim::Subject),
        (
            "jti",
            "{0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a78}",
            Claim::Session,
        ),
        (
            "jti",
            " 0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a7",
            Claim::Session,
        ),
    ] {
        assert_eq!(with(claim, json!(value)), Err(TokenError::Claims(wrong)));
    }
}

#[test]
fn the_payload_is_one_object_with_each_claim_once() {
    let good = claims().to_string();
    let array = r#"["i","a","s","j",1,2,3]"#.to_owned();
    for payload in [
        good.replacen('{', "{\"exp\":1900000000,", 1),
        good.replacen('{', "{\"iss\":\"other\",", 1),
        good.replacen('{', "{\"nbf\":1,\"nbf\":1,", 1),
        format!("{good}{good}"),
        format!("{good} x"),
        format!(" {good}"),
        format!("[{good}]"),
        good.replace('}', ""),
        good.replace(AUDIENCE, "\u{0}"),
        array,
        String::new(),
        "null".to_owned(),
        "{".repeat(1000),
    ] {
        let refused = verified(&payload);
        assert_eq!(refused, Err(TokenError::Claims(Claim::Shape)), "{payload}");
    }
    let mut bytes = good.into_bytes();
    bytes[12] = 0xff;
    assert!(verified(bytes).is_err());
}

#[test]
fn a_claim_that_a_newer_node_adds_does_no_harm() {
    assert!(with("new", json!({"deep": [1]})).is_ok());
}

#[test]
fn only_the_header_that_our_key_writes_is_ours() {
    let kid = rfc8037_key().kid().to_owned();
    let payload = base64(claims().to_string());
    for header in [
        json!({"alg": "none", "typ": "JWT", "kid": kid}).to_string(),
        json!({"alg": "HS256", "typ": "JWT", "kid": kid}).to_string(),
        json!({"alg": "ES256", "typ": "JWT", "kid": kid}).to_string(),
        format!(r#"{{"alg":"eddsa","typ":"JWT","kid":"{kid}"}}"#),
        r#"{"alg":"EdDSA","typ":"JWT"}"#.to_owned(),
        format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"../../{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":["{kid}"]}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}","crit":["x"],"x":1}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}","jwk":{{}}}}"#),
        format!(r#"{{"typ":"JWT","alg":"EdDSA","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}" }}"#),
    ] {
        let refused = tokens().verify(&forge(&base64(&header), &payload), NOW);
        assert_eq!(refused, Err(TokenError::UnknownKey), "{header}");
    }
    let header = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#);
    assert!(
        tokens()
            .verify(&forge(&base64(header), &payload), NOW)
            .is_ok()
    );
}

#[test]
fn the_public_key_is_no_shared_secret() {
    use aws_lc_rs::hmac;

    let key = rfc8037_key();
    let public = serde_json::to_value(key.jwk()).unwrap()["x"].to_string();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
    let payload = base64(claims().to_string());
    for header in [key.header(), &base64(r#"{"alg":"HS256","typ":"JWT"}"#)] {
        let message = format!("{header}.{payload}");
        let mac = hmac::sign(&secret, message.as_bytes());
        let token = format!("{message}.{}", base64(mac));
        assert!(tokens().verify(&token, NOW).is_err());
    }
}

#[test]
fn a_key_of_the_ring_cannot_stand_in_for_another() {
    let tokens = tokens();
    let other = tokens_of(SigningKey::generate(Algorithm::EdDsa).unwrap());
    let es256 = tokens_of(rfc7517_key());
    for foreign in [&other, &es256] {
        let token = issue(foreign);
        assert_eq!(tokens.verify(&token, NOW), Err(TokenError::UnknownKey));
        let (_, rest) = token.split_once('.').unwrap();
        let relabelled = format!("{}.{rest}", rfc8037_key().header());
        assert_eq!(tokens.verify(&relabelled, NOW), Err(TokenError::Signature));
    }
}

#[test]
fn a_token_has_one_spelling() {
    let tokens = tokens();
    let token = issue(&tokens);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let (body, last) = signature.split_at(85);
    // The last of 86 digits carries two bits; the other four must be zero.
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = digits.find(last).unwrap();
    let trailing = &digits[at + 1..at + 2];
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{token}=="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}\0"),
        format!("Bearer {token}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header} .{payload}.{signature}"),
        format!("{message}.{body}"),
        format!("{message}.{body}{trailing}"),
        format!("{message}.{signature}A"),
        format!("{message}.{}/{last}", &body[1..]),
        format!("{message}.+{}", &signature[1..]),
        token.repeat(20),
        "a".repeat(1 << 20),
    ] {
        let refused = tokens.verify(&text, NOW);
        assert!(refused.is_err(), "{text}");
    }
    assert!(tokens.verify(&token, NOW).is_ok());
}

#[test]
fn a_payload_with_padding_or_trailing_bits_is_malformed_though_signed() {
    let header = rfc8037_key().header().to_owned();
    let payload = claims().to_string();
    let padded = (0..3)
        .map(|spaces| base64(format!("{payload}{}", " ".repeat(spaces))))
        .find(|text| text.len() % 4 == 2)
        .unwrap();
    let tokens = tokens();
    assert!(tokens.verify(&forge(&header, &padded), NOW).is_ok());
    let (body, last) = padded.split_at(padded.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    for payload in [format!("{padded}=="), format!("{body}{next}")] {
        let refused = tokens.verify(&forge(&header, &payload), NOW);
        assert_eq!(refused, Err(TokenError::Malformed));
    }
}

#[test]
fn a_gateway_whose_issuer_fills_a_token_makes_none() {
    let ring = KeyRing::single(rfc8037_key()).unwrap();
    let tokens = Tokens::new(ring, "x".repeat(4000), AUDIENCE, LIFETIME);
    let refused = tokens.issue(UserId::new(), 0, NOW);
    assert_eq!(refused.unwrap_err(), IssueError::Sign);
}

#[test]
fn an_audience_with_quotes_is_compared_as_meant() {
    let ring = KeyRing::single(rfc8037_key()).unwrap();
    let tokens = Tokens::new(ring, ISSUER, "a \"b\" \\ \u{e9}\n", LIFETIME);
    assert!(tokens.verify(&issue(&tokens), NOW).is_ok());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", dotted in "[A-Za-z0-9_=-]{0,90}(\\.[A-Za-z0-9_=-]{0,90}){2}") {
        let tokens = tokens();
        prop_assert!(tokens.verify(&text, NOW).is_err());
        prop_assert!(tokens.verify(&dotted, NOW).is_err());
    }

    #[test]
    fn no_signed_payload_panics(payload: Vec<u8>) {
        prop_assert!(verified(payload).is_err());
    }

    #[test]
    fn one_flipped_bit_is_refused(at: prop::sample::Index, bit in 0..7_u32, es256: bool) {
        let tokens = tokens_of(if es256 { rfc7517_key() } else { rfc8037_key() });
        let mut token = issue(&tokens).into_bytes();
        let at = at.index(token.len());
        token[at] ^= 1 << bit;
        let text = String::from_utf8(token).unwrap();
        prop_assert!(tokens.verify(&text, NOW).is_err());
    }
}
