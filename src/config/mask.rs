/// The text with each password in it made unreadable, of the same length in bytes.
///
/// Mistakes show lines of the file, and what is shown ends in logs. Masked are what follows
/// `password =`, unless it only names a variable, and what stands between `:` and `@` of a URL.
pub(super) fn mask(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| mask_urls(&mask_key(line)))
        .collect()
}

fn mask_key(line: &str) -> String {
    let Some(value) = password_value(line) else {
        return line.to_owned();
    };
    let (head, secret) = line.split_at(value);
    if secret
        .trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'' || c == '}')
        .strip_prefix("${")
        .is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    {
        return line.to_owned();
    }
    format!("{head}{}", stars(secret))
}

/// Where the value begins that the line gives to a key `password`.
fn password_value(line: &str) -> Option<usize> {
    const KEY: &str = "password";
    line.match_indices(KEY).find_map(|(at, _)| {
        let behind = line.get(at + KEY.len()..)?;
        let behind = behind.trim_start_matches(['"', '\'', ' ', '\t']);
        let value = behind.strip_prefix('=')?;
        Some(line.len() - value.len())
    })
}

fn mask_urls(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((head, tail)) = rest.split_once("://") {
        masked.push_str(head);
        masked.push_str("://");
        let end = tail
            .find(|c: char| c.is_whitespace() || c == '"' || c == '\'')
            .unwrap_or(tail.len());
        let (url, behind) = tail.split_at(end);
        masked.push_str(&mask_user(url));
        rest = behind;
    }
    masked.push_str(rest);
    masked
}

fn mask_user(url: &str) -> String {
    let Some((user, host)) = url.rsplit_once('@') else {
        return url.to_owned();
    };
    match user.split_once(':') {
        Some((name, secret)) => format!("{name}:{}@{host}", stars(secret)),
        None => url.to_owned(),
    }
}

fn stars(secret: &str) -> String {
    secret
        .chars()
        .map(|c| match c {
            '"' | '\'' | '\n' | '\r' | ' ' => c.to_string(),
            _ => "*".repeat(c.len_utf8()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_byte_for_byte() {
        for (line, masked) in [
            (r#"password = "hünter2""#, r#"password = "********""#),
            ("password=hunter2\r\n", "password=*******\r\n"),
            (
                r#"mail = { "password" = 'x' }"#,
                r#"mail = { "password" = '*' *"#,
            ),
            (
                r#"url = "smtp://ada:s3@cret@mail""#,
                r#"url = "smtp://ada:*******@mail""#,
            ),
            (
                r#"["redis://:pw@a", "redis://b"]"#,
                r#"["redis://:**@a", "redis://b"]"#,
            ),
        ] {
            assert_eq!(mask(line), masked);
            assert_eq!(mask(line).len(), line.len());
        }
    }

    #[test]
    fn what_is_no_password_stays_readable() {
        for line in [
            r#"password_file = "/run/secrets/smtp""#,
            r#"password = "${SMTP_PASSWORD}""#,
            r#"servers = ["http://10.0.0.5:9000"]"#,
            r#"url = "smtps://mailer@mail.example.com""#,
            "[passwords]\nmin_length = 8",
        ] {
            assert_eq!(mask(line), line);
        }
    }
}
