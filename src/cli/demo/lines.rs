use std::borrow::Cow;

use super::{ADMIN, Parts};
use crate::domain::Password;

/// What the demo prints: what there is, and lines for bash to try it with.
pub(super) fn lines(parts: &Parts, password: &Password) -> String {
    let Parts {
        folder,
        listen,
        admin,
        ..
    } = parts;
    let password = password.expose();
    format!(
        "\
Dariet Gateway runs on https://{listen}, with an echo service behind it.

  administrator  {ADMIN}
  password       {password}
  folder         {folder}
                 (gateway.toml is all it took; mails go to mails/; {fate})
  metrics        http://{admin}/metrics

Paste these lines into another terminal, one after the other or all at once:

CA={certificate}
GATEWAY=https://{listen}
{try_it}
Each request writes a line here. Ctrl-C ends the demo.
",
        try_it = TRY.replace("EMAIL", ADMIN).replace("PASSWORD", password),
        folder = folder.path().display(),
        fate = if folder.is_kept {
            "it is kept"
        } else {
            "it is removed at the end"
        },
        certificate = quoted(&folder.certificate().to_string_lossy()),
    )
}

/// For bash and curl alone: the fields are taken from the JSON by sed.
const TRY: &str = r#"
# Nobody gets to the service without a credential.
curl -sS --cacert "$CA" "$GATEWAY/hello"; echo

# Log in, keep the token, and call the service with it.
TOKEN=$(curl -sS --cacert "$CA" "$GATEWAY/api/auth/login" \
  -H 'Content-Type: application/json' \
  -d '{"email": "EMAIL", "password": "PASSWORD"}' |
  sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')
curl -sS --cacert "$CA" "$GATEWAY/hello" -H "Authorization: Bearer $TOKEN"

# Make an API key, and call the service with it.
ANSWER=$(curl -sS --cacert "$CA" "$GATEWAY/api/api-keys" \
  -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -d '{"name": "my first key"}')
KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' <<< "$ANSWER")
KEY_ID=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' <<< "$ANSWER")
curl -sS --cacert "$CA" "$GATEWAY/hello" -H "X-API-Key: $KEY"

# Leave a stream of events running with the key, then revoke the key: the stream is cut at once.
curl -sSN --cacert "$CA" "$GATEWAY/events" -H "X-API-Key: $KEY" &
sleep 3
curl -sS --cacert "$CA" -X DELETE "$GATEWAY/api/api-keys/$KEY_ID" \
  -H "Authorization: Bearer $TOKEN" -w 'revoked: HTTP %{http_code}\n'
wait $!
echo "the stream was cut: exit code $? of its curl"

# The key does not work any more.
curl -sS --cacert "$CA" "$GATEWAY/hello" -H "X-API-Key: $KEY"; echo
"#;

/// A text as one word of bash.
fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_one_word_of_bash() {
        assert_eq!(quoted("/tmp/dariet-demo-1"), "/tmp/dariet-demo-1");
        assert_eq!(quoted("/tmp/it's me"), r"'/tmp/it'\''s me'");
    }
}
