//! How tokens are forged.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

/// What a forger has: a good token, and for rows about claims the gateway's own key.
pub struct Kit {
    /// A token that works.
    pub real: String,
    pub header: Value,
    pub claims: Value,
    pub key: Ed25519KeyPair,
    /// One that the gateway does not know.
    pub other: Ed25519KeyPair,
}

impl Kit {
    /// The good token's parts `h`, `p` and `s`, and `q` for another payload; what else stands there stays.
    pub fn parts(&self, parts: &[&str]) -> String {
        let real: Vec<_> = self.real.split('.').collect();
        let other = BASE64.encode(self.claims.to_string().replace("admin", "root") + " ");
        let parts = parts.iter().map(|part| match *part {
            "h" => real[0].to_owned(),
            "p" => real[1].to_owned(),
            "q" => other.clone(),
            part => match part.strip_prefix('s') {
                Some(more) => format!("{}{more}", real[2]),
                None => part.to_owned(),
            },
        });
        parts.collect::<Vec<_>>().join(".")
    }

    /// Rightly signed, with this payload segment.
    pub fn payload_segment(&self, payload: &str) -> String {
        let header = self.real.split('.').next().unwrap();
        self.signed(header, payload)
    }

    pub fn payload(&self, payload: &str) -> String {
        self.payload_segment(&BASE64.encode(payload))
    }

    pub fn claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.payload(&claims.to_string())
    }

    pub fn twice(&self, name: &str, value: &Value) -> String {
        let claims = self.claims.to_string();
        self.payload(&claims.replacen('{', &format!("{{\"{name}\":{value},"), 1))
    }

    /// Rightly signed, with this header.
    pub fn header_text(&self, header: &str) -> String {
        let payload = self.real.split('.').nth(1).unwrap();
        self.signed(&BASE64.encode(header), payload)
    }

    pub fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header.clone();
        change(&mut header);
        self.header_text(&header.to_string())
    }

    pub fn alg(&self, value: Value) -> String {
        self.with_header(|header| header["alg"] = value)
    }

    pub fn kid(&self, value: Value) -> String {
        self.with_header(|header| header["kid"] = value)
    }

    pub fn typ(&self, value: Value) -> String {
        self.with_header(|header| header["typ"] = value)
    }

    pub fn without(&self, name: &str) -> String {
        self.with_header(|header| drop(header.as_object_mut().unwrap().remove(name)))
    }

    pub fn more(&self, members: Value) -> String {
        let Value::Object(members) = members else {
            panic!("{members} is no object");
        };
        self.with_header(|header| header.as_object_mut().unwrap().extend(members))
    }

    /// Signed by another key, whose public half the header brings along.
    pub fn embedded_key(&self) -> String {
        let x = BASE64.encode(self.other.public_key().as_ref());
        let mut header = self.header.clone();
        header["jwk"] = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": header["kid"]});
        let message = format!("{}.{}", BASE64.encode(header.to_string()), self.part(1));
        let signature = self.other.sign(message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    pub fn by_other(&self) -> String {
        let message = format!("{}.{}", self.part(0), self.part(1));
        let signature = self.other.sign(message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    pub fn hmac(&self, algorithm: &str, secret: &[u8]) -> String {
        let kind = match algorithm {
            "HS512" => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let mut header = self.header.clone();
        header["alg"] = json!(algorithm);
        let message = format!("{}.{}", BASE64.encode(header.to_string()), self.part(1));
        let tag = hmac::sign(&hmac::Key::new(kind, secret), message.as_bytes());
        format!("{message}.{}", BASE64.encode(tag))
    }

    pub fn unsigned(&self, algorithm: &str) -> String {
        let mut header = self.header.clone();
        header["alg"] = json!(algorithm);
        format!("{}.{}.", BASE64.encode(header.to_string()), self.part(1))
    }

    pub fn with_signature(&self, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut signature = BASE64.decode(self.part(2)).unwrap();
        change(&mut signature);
        format!(
            "{}.{}.{}",
            self.part(0),
            self.part(1),
            BASE64.encode(signature)
        )
    }

    /// The same signature with the last character's bits that say nothing set.
    pub fn with_loose_bits(&self) -> String {
        let mut token = self.real.clone();
        let last = token.pop().unwrap();
        token.push(if last == 'A' {
            'B'
        } else {
            char::from(last as u8 + 1)
        });
        token
    }

    pub fn part(&self, at: usize) -> &str {
        self.real.split('.').nth(at).unwrap()
    }

    pub fn signed(&self, header: &str, payload: &str) -> String {
        let message = format!("{header}.{payload}");
        let signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    pub fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }
}

/// Adds the order of Ed25519's group to the number in a signature: without the check of RFC 8032 the
/// result verifies too.
pub fn add_order(signature: &mut [u8]) {
    const ORDER: [u8; 16] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14,
    ];
    let mut carry = 0;
    for at in 0..32 {
        let order = match at {
            0..16 => ORDER[at],
            31 => 0x10,
            _ => 0,
        };
        let sum = u16::from(signature[32 + at]) + u16::from(order) + carry;
        signature[32 + at] = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
}

/// The order of P-256's group (SEC 2 §2.4.2).
pub const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `from` less `by`, both numbers of 32 bytes, the largest first.
pub fn less(from: &[u8; 32], by: &[u8]) -> [u8; 32] {
    let mut result = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(from[at]) - i16::from(by[at]) - borrow;
        borrow = i16::from(difference < 0);
        result[at] = u8::try_from(difference & 0xff).unwrap();
    }
    result
}

pub fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| [&[2, 33, 0], bytes].concat();
    let numbers = [number(r), number(s)].concat();
    [&[0x30, u8::try_from(numbers.len()).unwrap()], &numbers[..]].concat()
}
