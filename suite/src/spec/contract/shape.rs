//! The places of a request body, as its schema has them: bodies that are well-formed, and bodies that are wrong in one
//! place.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use fixtures::catalogue::{Catalogue, Operation};
use serde_json::{Map, Value, json};

/// No body of the specification goes deeper; a schema that refers to itself would.
const DEEPEST: usize = 8;

/// What the body of a request may be.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    root: Arc<Value>,
}

/// One place in a body.
#[derive(Clone, Debug)]
pub(super) struct Place {
    steps: Vec<Step>,
    schema: Value,
    /// Whether the object that holds it is wrong without it.
    pub(super) required: bool,
}

/// The way from an object or an array to what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    /// Any key of a map, with the pattern of its keys.
    Key(String),
    Item,
}

impl Shape {
    /// The shape of the JSON body of an operation of the client-server API, where it takes one.
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        static SHAPES: LazyLock<BTreeMap<&str, Shape>> = LazyLock::new(|| {
            let shape = |operation: &'static Operation| {
                let root = Arc::new(Catalogue::v1_19().request_schema(operation)?);
                Some((operation.id.as_str(), Shape { root }))
            };
            super::operations().filter_map(shape).collect()
        });
        SHAPES.get(operation.id.as_str()).cloned()
    }

    /// The smallest body that the schema permits.
    pub(super) fn smallest(&self) -> Value {
        self.sample(&self.root)
    }

    /// Every place to which the schema gives a type, parents first.
    pub(super) fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        self.collect(&self.resolved(&self.root), &[], &mut places);
        places
    }

    /// The body with another value at that place; what leads there is made where the body lacks it.
    pub(super) fn with(&self, body: &Value, place: &Place, value: Value) -> Value {
        self.changed(&self.root, body, &place.steps, Some(value))
    }

    /// The body without that place, but with the object that lacks it.
    pub(super) fn without(&self, body: &Value, place: &Place) -> Value {
        self.changed(&self.root, body, &place.steps, None)
    }

    fn changed(&self, schema: &Value, body: &Value, steps: &[Step], value: Option<Value>) -> Value {
        let Some((step, rest)) = steps.split_first() else { return value.unwrap_or_default() };
        let schema = self.resolved(schema);
        let mut body = match (step, body) {
            (Step::Item, Value::Array(_)) | (Step::Field(_) | Step::Key(_), Value::Object(_)) => body.clone(),
            (Step::Item, _) => json!([]),
            (Step::Field(_) | Step::Key(_), _) => self.object(&schema),
        };
        let child_schema = self.child(&schema, step);
        match (step, &mut body) {
            (Step::Item, Value::Array(items)) => {
                let child = items.first().cloned().unwrap_or_else(|| self.sample(&child_schema));
                *items = vec![self.changed(&child_schema, &child, rest, value)];
            }
            (Step::Field(name), Value::Object(fields)) if rest.is_empty() && value.is_none() => {
                fields.remove(name);
            }
            (Step::Field(_) | Step::Key(_), Value::Object(fields)) => {
                let name = step.name();
                let child = fields.get(&name).cloned().unwrap_or_else(|| self.sample(&child_schema));
                fields.insert(name, self.changed(&child_schema, &child, rest, value));
            }
            _ => {}
        }
        body
    }

    fn collect(&self, schema: &Value, steps: &[Step], places: &mut Vec<Place>) {
        if steps.len() == DEEPEST {
            return;
        }
        let fields = schema["properties"].as_object().into_iter().flatten();
        let fields = fields.map(|(name, child)| (Step::Field(name.clone()), child));
        let keys = schema["patternProperties"].as_object().into_iter().flatten();
        let keys = keys.map(|(pattern, child)| (Step::Key(pattern.clone()), child));
        let others =
            [(Step::Key(String::new()), &schema["additionalProperties"]), (Step::Item, &schema["items"])];
        for (step, child) in fields.chain(keys).chain(others) {
            let child = self.resolved(child);
            let required = match &step {
                Step::Field(name) => strings(&schema["required"]).any(|required| required == name),
                _ => false,
            };
            let steps: Vec<Step> = steps.iter().cloned().chain([step]).collect();
            if types(&child).is_some() {
                places.push(Place { steps: steps.clone(), schema: child.clone(), required });
            }
            self.collect(&child, &steps, places);
        }
    }

    fn child(&self, schema: &Value, step: &Step) -> Value {
        let child = match step {
            Step::Field(name) => &schema["properties"][name],
            Step::Key(pattern) if pattern.is_empty() => &schema["additionalProperties"],
            Step::Key(pattern) => &schema["patternProperties"][pattern],
            Step::Item => &schema["items"],
        };
        self.resolved(child)
    }

    /// The schema with its references followed, the parts of `allOf` joined, and of alternatives the first that is an
    /// object, or else the first; `type` then names the types of all alternatives.
    fn resolved(&self, schema: &Value) -> Value {
        let Some(own) = schema.as_object() else { return schema.clone() };
        let mut joined = Map::new();
        if let Some(name) =
            own.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/"))
        {
            let (definition, rest) = name.split_once('/').unwrap_or((name, ""));
            let definition = &self.root["$defs"][definition];
            let target =
                if rest.is_empty() { Some(definition) } else { definition.pointer(&format!("/{rest}")) };
            join(&mut joined, &self.resolved(target.unwrap_or(&Value::Null)));
        }
        for part in own.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            join(&mut joined, &self.resolved(part));
        }
        for alternatives in ["anyOf", "oneOf"].iter().filter_map(|keyword| own.get(*keyword)?.as_array()) {
            let alternatives: Vec<Value> = alternatives.iter().map(|part| self.resolved(part)).collect();
            let all_types: Vec<&str> = alternatives.iter().filter_map(types).flatten().collect();
            let object = alternatives.iter().find(|part| part["type"] == "object").or(alternatives.first());
            join(&mut joined, object.unwrap_or(&Value::Null));
            joined.insert("type".to_owned(), json!(all_types));
        }
        let keywords = own
            .iter()
            .filter(|(keyword, _)| !["$ref", "allOf", "anyOf", "oneOf"].contains(&keyword.as_str()));
        join(
            &mut joined,
            &Value::Object(keywords.map(|(keyword, value)| (keyword.clone(), value.clone())).collect()),
        );
        Value::Object(joined)
    }

    fn sample(&self, schema: &Value) -> Value {
        let schema = self.resolved(schema);
        if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
            return first.clone();
        }
        match types(&schema).and_then(|types| types.first().copied()) {
            Some("string") => json!(text(&schema)),
            Some("integer" | "number") => json!(1),
            Some("boolean") => json!(false),
            Some("array") => json!([]),
            Some("null") => Value::Null,
            _ => self.object(&schema),
        }
    }

    /// An object with the fields that the schema requires.
    fn object(&self, schema: &Value) -> Value {
        let required = strings(&schema["required"]);
        Value::Object(
            required.map(|name| (name.to_owned(), self.sample(&schema["properties"][name]))).collect(),
        )
    }
}

impl Place {
    /// The way from the root, with `*` for any key and any item: `initial_state.*.type`.
    pub(super) fn label(&self) -> String {
        let name = |step: &Step| match step {
            Step::Field(name) => name.clone(),
            Step::Key(_) | Step::Item => "*".to_owned(),
        };
        self.steps.iter().map(name).collect::<Vec<_>>().join(".")
    }

    /// The JSON types that it may have.
    pub(super) fn types(&self) -> Vec<&str> {
        types(&self.schema).unwrap_or_default()
    }

    /// Values of types that it may not have, by the name of their type: a plain one and a composed one; none where it may
    /// have any type.
    pub(super) fn values_of_wrong_type(&self) -> Vec<(&'static str, Value)> {
        let candidates = [
            ("number", json!(5)),
            ("string", json!("determinant")),
            ("array", json!([])),
            ("object", json!({"determinant": 1})),
        ];
        let permitted = self.types();
        let is_permitted =
            |kind: &str| permitted.contains(&kind) || (kind == "number" && permitted.contains(&"integer"));
        let wrong: Vec<_> = candidates.into_iter().filter(|(kind, _)| !is_permitted(kind)).collect();
        match &wrong[..] {
            [first, .., last] => vec![first.clone(), last.clone()],
            _ => wrong,
        }
    }

    /// A string outside the enumeration or the pattern of the place; `None` where it has neither.
    pub(super) fn value_out_of_range(&self) -> Option<Value> {
        let enumerated = strings(&self.schema["enum"]).next().is_some();
        let patterned = self.schema["pattern"].as_str().is_some_and(|pattern| pattern.starts_with(['^']));
        (enumerated || patterned).then(|| json!("determinant-out-of-range"))
    }
}

impl Step {
    /// A key that fits.
    fn name(&self) -> String {
        match self {
            Step::Field(name) => name.clone(),
            Step::Key(pattern) if pattern.starts_with("^@") => "@determinant:determinant.invalid".to_owned(),
            Step::Key(pattern) if pattern.starts_with("^!") => "!determinant:determinant.invalid".to_owned(),
            Step::Key(_) | Step::Item => "determinant".to_owned(),
        }
    }
}

/// The types that a resolved schema names, or that its enumeration implies; `None` where it names none.
fn types(schema: &Value) -> Option<Vec<&str>> {
    match &schema["type"] {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ if schema["enum"].is_array() => Some(vec!["string"]),
        _ => None,
    }
}

/// A string of the format or the pattern.
fn text(schema: &Value) -> &'static str {
    match schema["format"].as_str().or_else(|| schema["pattern"].as_str()) {
        Some("mx-user-id" | "^@") => "@determinant:determinant.invalid",
        Some("mx-room-id" | "^!") => "!determinant:determinant.invalid",
        Some("uri") => "https://determinant.invalid/",
        _ => "determinant",
    }
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Adds the keywords of one schema to another: maps and lists are joined, everything else is overruled.
fn join(joined: &mut Map<String, Value>, more: &Value) {
    for (keyword, value) in more.as_object().into_iter().flatten() {
        match (joined.get_mut(keyword), value) {
            (Some(Value::Object(own)), Value::Object(more)) => {
                own.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            (Some(Value::Array(own)), Value::Array(more)) if keyword == "required" => {
                own.extend(more.iter().cloned())
            }
            _ => drop(joined.insert(keyword.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use jsonschema::Validator;

    use super::{super::operations, *};

    fn with_validator(operation: &'static Operation) -> Option<(Shape, Validator)> {
        let schema = Catalogue::v1_19().request_schema(operation)?;
        Some((Shape::of(operation)?, jsonschema::validator_for(&schema).ok()?))
    }

    #[test]
    fn smallest_bodies_satisfy_their_schema() {
        for operation in operations() {
            let Some((shape, validator)) = with_validator(operation) else { continue };
            // At least one property is demanded of it, and none is named: the specimen has a body of its own.
            if operation.id != "setProfileField" {
                let body = shape.smallest();
                assert!(validator.is_valid(&body), "{}: {body}", operation.id);
            }
        }
    }

    #[test]
    fn varied_bodies_break_their_schema() {
        for operation in operations() {
            let Some((shape, validator)) = with_validator(operation) else { continue };
            let body = shape.smallest();
            for place in shape.places() {
                let wrong = place.values_of_wrong_type().into_iter().map(|(_, value)| value);
                let wrong = wrong.chain(place.value_out_of_range());
                let mut broken: Vec<Value> = wrong.map(|value| shape.with(&body, &place, value)).collect();
                broken.extend(place.required.then(|| shape.without(&body, &place)));
                for body in broken {
                    assert!(!validator.is_valid(&body), "{}.{}: {body}", operation.id, place.label());
                }
            }
        }
    }

    #[test]
    fn labels_are_unique() {
        for operation in operations() {
            let Some(shape) = Shape::of(operation) else { continue };
            let mut labels: Vec<String> = shape.places().iter().map(Place::label).collect();
            labels.sort();
            let count = labels.len();
            labels.dedup();
            assert_eq!(labels.len(), count, "{}", operation.id);
        }
    }
}
