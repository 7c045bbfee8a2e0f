//! JSON bodies, read field by field.

use std::ops::Deref;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::error::MatrixError;

/// The largest body that is read; an event is at most 65536 bytes, account data may be larger.
const MAX_BODY_BYTES: usize = 1024 * 1024;

type Object = Map<String, Value>;

/// A body that has to be a JSON object. The `Content-Type` does not matter (client-server-api/#api-standards).
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Object);

/// A body of an operation that asks for nothing: no body is an empty object.
#[derive(Debug)]
pub(crate) struct BodyOrNothing(pub(crate) Object);

impl Deref for Body {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.0
    }
}

impl Deref for BodyOrNothing {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.0
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = MatrixError;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        parse(&read(request).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for BodyOrNothing {
    type Rejection = MatrixError;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let bytes = read(request).await?;
        if bytes.is_empty() { Ok(Self(Object::new())) } else { parse(&bytes).map(Self) }
    }
}

async fn read(request: Request) -> Result<Bytes, MatrixError> {
    axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await.map_err(|_| {
        MatrixError::too_large(format!("body must arrive whole and within {MAX_BODY_BYTES} bytes"))
    })
}

fn parse(bytes: &[u8]) -> Result<Object, MatrixError> {
    let text = std::str::from_utf8(bytes).map_err(|_| MatrixError::not_json("body must be UTF-8"))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(MatrixError::bad_json("body must be a JSON object")),
        // A number that no floating point can hold is JSON all the same.
        Err(error) if error.to_string().starts_with("number out of range") => {
            Err(MatrixError::bad_json(error.to_string()))
        }
        Err(error) => Err(MatrixError::not_json(format!("body must be JSON: {error}"))),
    }
}

/// Typed access to the fields of an object: what is missing is `M_MISSING_PARAM`, what is of another
/// type is `M_BAD_JSON`.
pub(crate) trait Fields {
    /// A string, if it is there.
    fn optional_text(&self, name: &str) -> Result<Option<&str>, MatrixError>;
    /// A string that has to be there.
    fn text(&self, name: &str) -> Result<&str, MatrixError>;
    /// A boolean, if it is there.
    fn optional_flag(&self, name: &str) -> Result<Option<bool>, MatrixError>;
    /// A boolean; what is not there is false.
    fn flag(&self, name: &str) -> Result<bool, MatrixError>;
    /// A whole number, if it is there.
    fn optional_integer(&self, name: &str) -> Result<Option<i64>, MatrixError>;
    /// An object, if it is there.
    fn optional_object(&self, name: &str) -> Result<Option<&Object>, MatrixError>;
    /// An object that has to be there.
    fn object(&self, name: &str) -> Result<&Object, MatrixError>;
    /// One of the strings that the specification lists, if it is there.
    fn one_of<'a>(&self, name: &str, values: &[&'a str]) -> Result<Option<&'a str>, MatrixError>;
    /// A list, if it is there; an empty one otherwise.
    fn list(&self, name: &str) -> Result<&[Value], MatrixError>;
    /// A list of strings, if it is there.
    fn optional_texts(&self, name: &str) -> Result<Option<Vec<&str>>, MatrixError>;
}

impl Fields for Object {
    fn optional_text(&self, name: &str) -> Result<Option<&str>, MatrixError> {
        typed(self, name, "a string", Value::as_str)
    }

    fn text(&self, name: &str) -> Result<&str, MatrixError> {
        self.optional_text(name)?.ok_or_else(|| missing(name))
    }

    fn optional_flag(&self, name: &str) -> Result<Option<bool>, MatrixError> {
        typed(self, name, "true or false", Value::as_bool)
    }

    fn flag(&self, name: &str) -> Result<bool, MatrixError> {
        Ok(self.optional_flag(name)?.unwrap_or(false))
    }

    fn optional_integer(&self, name: &str) -> Result<Option<i64>, MatrixError> {
        typed(self, name, "a whole number", Value::as_i64)
    }

    fn optional_object(&self, name: &str) -> Result<Option<&Object>, MatrixError> {
        typed(self, name, "an object", Value::as_object)
    }

    fn object(&self, name: &str) -> Result<&Object, MatrixError> {
        self.optional_object(name)?.ok_or_else(|| missing(name))
    }

    fn one_of<'a>(&self, name: &str, values: &[&'a str]) -> Result<Option<&'a str>, MatrixError> {
        let Some(given) = self.optional_text(name)? else { return Ok(None) };
        match values.iter().find(|value| **value == given) {
            Some(value) => Ok(Some(value)),
            None => Err(MatrixError::invalid_param(format!("{name} must be one of {}", values.join(", ")))),
        }
    }

    fn list(&self, name: &str) -> Result<&[Value], MatrixError> {
        Ok(typed(self, name, "a list", Value::as_array)?.map_or(&[], Vec::as_slice))
    }

    fn optional_texts(&self, name: &str) -> Result<Option<Vec<&str>>, MatrixError> {
        typed(self, name, "a list of strings", |value| value.as_array()?.iter().map(Value::as_str).collect())
    }
}

fn typed<'a, T>(
    object: &'a Object,
    name: &str,
    expected: &str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, MatrixError> {
    let Some(value) = object.get(name) else { return Ok(None) };
    match read(value) {
        Some(read) => Ok(Some(read)),
        None => Err(MatrixError::bad_json(format!("{name} must be {expected}"))),
    }
}

fn missing(name: &str) -> MatrixError {
    MatrixError::missing_param(format!("add the field {name}"))
}
