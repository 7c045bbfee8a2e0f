//! The variables of target files and templates.

use std::collections::BTreeMap;

use super::TargetError;

/// The values of template variables. `{name}` stands for a value, in every text of a target.
#[derive(Debug)]
pub(super) struct Values(BTreeMap<String, String>);

impl Values {
    /// The file's own values, and those that the run supplies; `~/` stands for the user's home.
    pub(super) fn new(variables: &BTreeMap<String, String>, ground: Vec<(&'static str, String)>) -> Self {
        let mut values = variables.clone();
        values.extend(ground.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let home = std::env::var("HOME").unwrap_or_default();
        for value in values.values_mut() {
            if let Some(rest) = value.strip_prefix("~/") {
                *value = format!("{home}/{rest}");
            }
        }
        Values(values)
    }

    /// These values and more.
    pub(super) fn with(&self, more: Vec<(&'static str, String)>) -> Self {
        Values::new(&self.0, more)
    }

    /// Fills every one of these.
    pub(super) fn fill_all(&self, texts: &[String]) -> Result<Vec<String>, TargetError> {
        texts.iter().map(|text| self.fill(text)).collect()
    }

    /// Fills every value of these variables of an environment.
    pub(super) fn fill_environment(
        &self,
        environment: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, TargetError> {
        environment.iter().map(|(name, value)| Ok((name.clone(), self.fill(value)?))).collect()
    }

    /// Replaces `{name}`; an unknown lower-case name is an error, any other brace stays as it is.
    pub(super) fn fill(&self, text: &str) -> Result<String, TargetError> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            rest = &rest[start..];
            match rest.find('}').map(|end| (&rest[1..end], end)) {
                Some((name, end)) if is_variable_name(name) => {
                    let value = self.0.get(name).ok_or_else(|| {
                        let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                        TargetError::Usage(format!(
                            "unknown variable {{{name}}}; known: {}",
                            known.join(", ")
                        ))
                    })?;
                    filled.push_str(value);
                    rest = &rest[end + 1..];
                }
                _ => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_ascii_lowercase() || character == '_')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("{port}", "8008")]
    #[case("a {port} b {port}", "a 8008 b 8008")]
    #[case("{ \"json\": {} }", "{ \"json\": {} }")]
    #[case("{Port} {port", "{Port} {port")]
    #[case("{{port}}", "{8008}")]
    fn templates_are_filled(#[case] template: &str, #[case] filled: &str) {
        let values = Values::new(&BTreeMap::new(), vec![("port", "8008".to_owned())]);
        assert_eq!(values.fill(template).expect("a filled template"), filled);
    }

    #[test]
    fn an_unknown_variable_names_the_known_ones() {
        let values = Values::new(&BTreeMap::new(), vec![("port", "8008".to_owned())]);
        let error = values.fill("{nothing}").expect_err("an unknown variable").to_string();
        assert_eq!(error, "unknown variable {nothing}; known: port");
    }
}
