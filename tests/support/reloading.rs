//! Another configuration for a gateway that runs.

use super::world::World;

impl World {
    /// Writes another configuration.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let new = change(text.clone());
        assert_ne!(new, text, "nothing was changed");
        std::fs::write(self.config(), new).unwrap();
    }

    /// Has the node read it. What it says that has changed.
    pub fn reload(&self) -> String {
        let output = self.command(&["reload"], "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Has the node read what it must refuse. What it says is wrong.
    pub fn refused_reload(&self) -> String {
        let output = self.command(&["reload"], "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(output.stdout, b"");
        said
    }
}

/// Adds sections.
pub fn add(sections: &str) -> impl FnOnce(String) -> String {
    move |text| format!("{text}\n{sections}\n")
}

/// Writes something else in the place of a text that stands there once.
pub fn exchange(old: &str, new: &str) -> impl FnOnce(String) -> String {
    move |text| {
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {text}");
        text.replace(old, new)
    }
}
