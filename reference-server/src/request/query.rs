//! Query parameters, read by type.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::error::MatrixError;
use crate::stream::{self, Position};

/// The query of a request: names and values, decoded, in their order.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `name=value` pairs.
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// All values of a parameter that may be given more than once.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, if it was given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a parameter that has to be given.
    pub(crate) fn required(&self, name: &str) -> Result<&str, MatrixError> {
        self.text(name).ok_or_else(|| MatrixError::missing_param(format!("add the query parameter {name}")))
    }

    /// A number.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, MatrixError> {
        self.parsed(name, "a whole number", |value| value.parse().ok())
    }

    /// `true` or `false`; what is not given is false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, MatrixError> {
        Ok(self.parsed(name, "true or false", |value| value.parse().ok())?.unwrap_or(false))
    }

    /// One of the values that the specification lists.
    pub(crate) fn one_of<'a>(&self, name: &str, values: &[&'a str]) -> Result<Option<&'a str>, MatrixError> {
        let expected = format!("one of {}", values.join(", "));
        self.parsed(name, &expected, |given| values.iter().find(|value| **value == given).copied())
    }

    /// A token that stands for a position in the stream.
    pub(crate) fn position(&self, name: &str) -> Result<Option<Position>, MatrixError> {
        self.parsed(name, "a token that this server gave out", stream::position)
    }

    fn parsed<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, MatrixError> {
        let Some(value) = self.text(name) else { return Ok(None) };
        match parse(value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(MatrixError::invalid_param(format!("query parameter {name} must be {expected}"))),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn pairs_are_decoded() {
        let query = Query::parse("from=s%2B1&via=a.example&via=b.example&empty=&term=two+words");
        assert_eq!(query.text("from"), Some("s+1"));
        assert_eq!(query.all("via").collect::<Vec<_>>(), ["a.example", "b.example"]);
        assert_eq!(query.text("empty"), Some(""));
        assert_eq!(query.text("term"), Some("two words"));
        assert_eq!(query.text("absent"), None);
    }

    #[test]
    fn what_is_not_of_the_type_is_an_error() {
        let query = Query::parse("limit=ten&dir=x&full_state=yes");
        assert!(query.number::<u64>("limit").is_err());
        assert!(query.one_of("dir", &["b", "f"]).is_err());
        assert!(query.flag("full_state").is_err());
        assert!(query.required("from").is_err());
    }
}
