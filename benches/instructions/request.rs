//! Head, path, headers, access line.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use bytes::BytesMut;
use dariet_gateway::config::{Config, Environment, Scheme};
use dariet_gateway::domain::{
    CredentialId, Email, Principal, Role, SessionId, Timestamp, UserId, UserName,
};
use dariet_gateway::http::{
    Hop, IdentityHeaders, IdentityValues, NormalPath, Passing, Piece, RequestHead, RequestId,
    Requests, forwarded, header,
};
use dariet_gateway::telemetry::{AccessLog, Line, LineFormat, field};

use super::{Result, case};

const TIMES: u32 = 1000;
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// What a browser sends, and a header that it must not.
const HEAD: &str = "GET /reports/2026?page=3 HTTP/1.1\r\n\
    Host: gateway.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: application/json\r\n\
    Accept-Language: en-GB,en;q=0.7\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Referer: https://gateway.example.com/reports\r\n\
    Cookie: theme=dark; lang=en\r\n\
    X-Requested-With: XMLHttpRequest\r\n\
    X-Auth-User-Id: forged\r\n\
    Authorization: Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\
    Connection: keep-alive\r\n\r\n";

pub(super) fn cases() -> Result {
    case("path, normal as it comes", TIMES, &mut || {
        let _ = black_box(NormalPath::parse(black_box("/reports/2026/summary")));
    })?;
    case("path, made normal", TIMES, &mut || {
        let _ = black_box(NormalPath::parse(black_box(
            "/reports//2026/./a%41/../summ%c3%a4ry",
        )));
    })?;
    case("request head, read", TIMES, &mut || {
        let _ = black_box(read(black_box(HEAD)));
    })?;
    headers()?;
    access_line()
}

/// What the upstream gets of a request and is told of it.
fn headers() -> Result {
    let config = config("")?;
    let identity = IdentityHeaders::new(&config.identity_headers);
    let values = IdentityValues::of(&principal()?);
    let headers = read(HEAD)?.parts.headers;
    let client = forwarded::client(PEER, &[], &headers);
    let mut lines = Vec::with_capacity(4096);
    case("headers for the upstream", TIMES, &mut || {
        let headers = black_box(&headers);
        let passing = Passing {
            identity: &identity,
            keep: &[],
            rules: None,
            is_from_trusted: client.is_from_trusted,
            passes_credential: false,
            version: http::Version::HTTP_11,
        };
        let hop = Hop {
            peer: PEER,
            scheme: Scheme::Https,
            version: http::Version::HTTP_11,
            host: headers.get(http::header::HOST),
        };
        lines.clear();
        passing.write(&mut lines, headers);
        forwarded::write(&mut lines, headers, &client, &hop);
        let id = RequestId::new();
        header::write_field(&mut lines, &header::X_REQUEST_ID, id.header_value());
        identity.write(&mut lines, &values);
        black_box(&lines);
    })
}

/// A line with the fields of a request that went well.
fn access_line() -> Result {
    let (log, writer) = AccessLog::start(LineFormat::Text)?;
    let buffer = log.buffer();
    let id = RequestId::new();
    let user = UserId::new().to_string();
    let fields = |line: &mut Line<'_>| {
        line.text(field!("request_id"), id.as_str());
        line.address(field!("client.ip"), PEER);
        line.text(field!("method"), "GET");
        line.text(field!("host"), "gateway.example.com");
        line.text(field!("path"), black_box("/reports/2026/summary"));
        line.text(field!("version"), "1.1");
        line.text(field!("route"), "/reports");
        line.number(field!("status"), 200);
        line.text(field!("principal.id"), &user);
        line.text(field!("principal.method"), "session");
        line.text(field!("upstream"), "reports");
        line.text(field!("server"), "http://10.0.0.5:9000");
        line.millis(field!("upstream_ms"), 1_234);
        line.number(field!("bytes.received"), 0);
        line.number(field!("bytes.sent"), 1024);
        line.millis(field!("duration_ms"), black_box(1_345));
        line.text(
            field!("user_agent"),
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        );
    };
    case("access line", TIMES, &mut || buffer.line(NOW, fields))?;
    drop((buffer, log));
    writer.join();
    Ok(())
}

fn read(head: &str) -> Result<RequestHead> {
    let mut requests = Requests::new(65536);
    match requests.next(&mut BytesMut::from(head))? {
        Some(Piece::Head(head)) => Ok(head),
        _ => Err("the head is not whole".into()),
    }
}

/// The configuration of these lines.
pub(super) fn config(more: &str) -> Result<Config> {
    let text = format!("[sessions]\nissuer = \"https://gateway.example.com\"\n{more}");
    let nowhere = Path::new("/nonexistent");
    let read = Config::parse(&text, "gateway.toml", nowhere, &Environment::new());
    read.map_err(|mistakes| format!("{mistakes:?}").into())
}

fn principal() -> Result<Principal> {
    Ok(Principal {
        user: UserId::new(),
        email: Email::parse("ada@example.com")?,
        name: UserName::parse("Ada Lovelace")?,
        role: Role::Viewer,
        credential: CredentialId::Session(SessionId::new()),
    })
}
