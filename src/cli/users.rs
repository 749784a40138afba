use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::CliError;
use super::arguments::{CreateUser, UpdateUser, UserCommand, Whom};
use super::operator::Operator;
use super::output::{Output, table};
use super::password::{NewPassword, PasswordSource};
use crate::domain::{Email, Role};

/// A user, as the API answers.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) email: String,
    name: String,
    role: String,
    is_active: bool,
    created_at: String,
}

const USERS: &str = "/api/auth/users";
/// How many users are asked for at once.
const PAGE: usize = 500;

pub(super) fn run(
    command: UserCommand,
    operator: &Operator,
    output: &Output,
) -> Result<(), CliError> {
    match command {
        UserCommand::Create(user) => create(&user, operator, output),
        UserCommand::List => list(operator, output),
        UserCommand::Update(change) => update(&change, operator, output),
        UserCommand::Delete { user } => delete(&user, operator, output),
    }
}

/// The user that is meant.
pub(super) fn find(operator: &Operator, whom: &Whom) -> Result<User, CliError> {
    let is_meant = |user: &User| match whom {
        Whom::Id(id) => user.id.parse() == Ok(*id),
        Whom::Email(email) => {
            Email::parse(&user.email).is_ok_and(|it| it.normal() == email.normal())
        }
    };
    let mut found = None;
    each_page(operator, |page| {
        found = users(page)?.into_iter().find(is_meant);
        Ok(found.is_none())
    })?;
    found.ok_or_else(|| {
        CliError::NoUser(match whom {
            Whom::Id(id) => id.to_string(),
            Whom::Email(email) => email.to_string(),
        })
    })
}

fn create(user: &CreateUser, operator: &Operator, output: &Output) -> Result<(), CliError> {
    let source = user.password.source().unwrap_or_else(PasswordSource::usual);
    let password = source.read()?;
    let body = json!({
        "email": user.email.as_str(),
        "name": user.name.as_str(),
        "role": Role::from(user.role),
        "password": password.password.expose(),
    });
    let answer = operator.call(Method::POST, USERS, Some(&body))?;
    let made: User = parsed(answer.clone())?;
    output.say(&format!(
        "created the {} {} with id {}",
        made.role, made.email, made.id
    ));
    tell(answer, Some(&password), output)
}

fn list(operator: &Operator, output: &Output) -> Result<(), CliError> {
    let mut all = Vec::new();
    each_page(operator, |page| {
        all.extend_from_slice(page);
        Ok(true)
    })?;
    let rows: Vec<_> = users(&all)?.into_iter().map(row).collect();
    output.result(&Value::Array(all), || {
        table(["EMAIL", "NAME", "ROLE", "ACTIVE", "CREATED", "ID"], &rows)
    })
}

fn update(change: &UpdateUser, operator: &Operator, output: &Output) -> Result<(), CliError> {
    let user = find(operator, &change.user)?;
    let source = if change.ask_password {
        Some(PasswordSource::Ask)
    } else {
        change.password.source()
    };
    let password = source.map(PasswordSource::read).transpose()?;
    // What is null was not given.
    let body = json!({
        "name": change.name.as_ref().map(ToString::to_string),
        "email": change.email.as_ref().map(ToString::to_string),
        "role": change.role.map(Role::from),
        "is_active": change.active,
        "password": password.as_ref().map(|new| new.password.expose()),
    });
    let target = format!("{USERS}/{}", user.id);
    let answer = operator.call(Method::PATCH, &target, Some(&body))?;
    output.say(&format!("changed {}", user.email));
    tell(answer, password.as_ref(), output)
}

fn delete(whom: &Whom, operator: &Operator, output: &Output) -> Result<(), CliError> {
    let user = find(operator, whom)?;
    operator.call(Method::DELETE, &format!("{USERS}/{}", user.id), None)?;
    output.say(&format!("deleted {}, their sessions and keys", user.email));
    Ok(())
}

/// The result of a change: the user for programs, and a password that was made for everybody.
fn tell(
    mut answer: Value,
    password: Option<&NewPassword>,
    output: &Output,
) -> Result<(), CliError> {
    let made = password.filter(|new| new.is_made);
    let made = made.map(|new| new.password.expose());
    if let (Some(made), Value::Object(user)) = (made, &mut answer) {
        user.insert("password".to_owned(), made.into());
    }
    output.result(&answer, || made.unwrap_or_default().to_owned())
}

/// Shows `see` all users, page by page, until it has seen enough.
fn each_page(
    operator: &Operator,
    mut see: impl FnMut(&[Value]) -> Result<bool, CliError>,
) -> Result<(), CliError> {
    let mut target = format!("{USERS}?limit={PAGE}");
    loop {
        let page: Vec<Value> = parsed(operator.call(Method::GET, &target, None)?)?;
        let last = page.last().and_then(|user| user.get("id")?.as_str());
        let next = last.map(|id| format!("{USERS}?limit={PAGE}&after={id}"));
        let goes_on = see(&page)? && page.len() == PAGE;
        match next {
            Some(next) if goes_on => target = next,
            _ => return Ok(()),
        }
    }
}

fn users(page: &[Value]) -> Result<Vec<User>, CliError> {
    page.iter().cloned().map(parsed).collect()
}

/// What an answer of the API holds.
pub(super) fn parsed<T: for<'de> Deserialize<'de>>(answer: Value) -> Result<T, CliError> {
    serde_json::from_value(answer).map_err(|error| CliError::Answer(Some(error)))
}

fn row(user: User) -> [String; 6] {
    let is_active = if user.is_active { "yes" } else { "no" };
    [
        user.email,
        user.name,
        user.role,
        is_active.to_owned(),
        user.created_at,
        user.id,
    ]
}
