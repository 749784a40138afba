use std::path::PathBuf;

use super::{Config, Environment};

/// Where a configuration is looked for when none is named.
const PLACES: [&str; 2] = ["config/gateway.toml", "/etc/dariet/gateway.toml"];

/// The variable that names the configuration.
const VARIABLE: &str = "DARIET_CONFIG";

/// There is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no configuration: --config and {VARIABLE} name none, and there is no {}; \
     run `dariet-gateway demo` to see the gateway at work, or write one of these files",
    .places.join(" and no ")
)]
pub struct NoConfig {
    /// The places that were looked at.
    pub places: Vec<String>,
}

impl Config {
    /// Which file to read: the one that is named on the command line, else by `DARIET_CONFIG`, else
    /// `config/gateway.toml`, else `/etc/dariet/gateway.toml`.
    ///
    /// A file that is named need not be there: [`Config::read`] says so.
    ///
    /// # Errors
    ///
    /// [`NoConfig`] when none is named and none is there.
    pub fn find(explicit: Option<PathBuf>, env: &Environment) -> Result<PathBuf, NoConfig> {
        find_in(explicit, env, &PLACES)
    }
}

fn find_in(
    explicit: Option<PathBuf>,
    env: &Environment,
    places: &[&str],
) -> Result<PathBuf, NoConfig> {
    let named = || {
        env.get(VARIABLE)
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
    };
    let there = || {
        places
            .iter()
            .map(PathBuf::from)
            .find(|place| place.exists())
    };
    explicit
        .or_else(named)
        .or_else(there)
        .ok_or_else(|| NoConfig {
            places: places.iter().map(|&place| place.to_owned()).collect(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_comes_before_the_environment_and_that_before_the_usual_places() {
        let env = Environment::from([(VARIABLE.to_owned(), "env.toml".to_owned())]);
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let find = |explicit: Option<&str>, env: &Environment| {
            find_in(explicit.map(PathBuf::from), env, &["not-there.toml", here])
        };

        assert_eq!(find(Some("cli.toml"), &env), Ok(PathBuf::from("cli.toml")));
        assert_eq!(find(None, &env), Ok(PathBuf::from("env.toml")));
        assert_eq!(find(None, &Environment::new()), Ok(PathBuf::from(here)));
    }

    #[test]
    fn where_none_is_found_the_way_out_is_told() {
        let error = find_in(None, &Environment::new(), &["not/a.toml", "not/b.toml"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no configuration: --config and DARIET_CONFIG name none, and there is no \
             not/a.toml and no not/b.toml; run `dariet-gateway demo` to see the gateway at work, \
             or write one of these files"
        );
    }
}
