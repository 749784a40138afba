use dariet_gateway::http::Code;

const API: &str = include_str!("../../docs/api.md");

#[test]
fn every_code_stands_in_the_documentation_with_its_status_and_what_to_do() {
    for code in Code::ALL {
        let row = format!(
            "| {} | `{}` | {} |",
            code.status().as_u16(),
            code.as_str(),
            code.sentence()
        );
        assert!(API.contains(&row), "docs/api.md lacks this row:\n{row}");
    }
}

#[test]
fn no_code_stands_there_that_is_none() {
    let rows = API.lines().filter_map(|line| line.strip_prefix("| "));
    for row in rows {
        let cells: Vec<_> = row.split(" | ").collect();
        let [status, code, ..] = cells.as_slice() else {
            continue;
        };
        if status.len() != 3 || status.parse::<u16>().is_err() {
            continue;
        }
        let code = code.trim_matches('`');
        assert!(
            Code::ALL.iter().any(|known| known.as_str() == code),
            "{code}"
        );
    }
}
