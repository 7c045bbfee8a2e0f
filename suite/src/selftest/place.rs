//! Places in the JSON body of a response, and what stands at each, as its schema has them.

use std::fmt;

use serde_json::{Map, Value};

/// No schema of the specification goes deeper; one that refers to itself would.
const DEEPEST: usize = 12;

/// A JSON pointer in which a step may stand for every item of an array or every key of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Field(String),
    Each,
}

/// What stands at one place of one body.
#[derive(Debug)]
pub(crate) struct Sight<'v> {
    pub(crate) place: Place,
    pub(crate) value: &'v Value,
    /// How the object that holds it can do without it; `None` for items and for the body itself.
    pub(crate) field: Option<Field>,
    /// The keys of the object are data, such as room ids.
    pub(crate) is_map: bool,
    /// The schema says what it is made of.
    pub(crate) is_described: bool,
    /// The schema says that nobody should use it any more.
    pub(crate) is_deprecated: bool,
}

/// How an object can do without a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Its schema requires it.
    Required,
    /// Its schema permits that it is absent.
    Optional,
}

impl Place {
    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Place(steps)
    }

    /// The name of the field; none for items and for the body itself.
    pub(crate) fn name(&self) -> Option<&str> {
        match self.0.last() {
            Some(Step::Field(name)) => Some(name),
            _ => None,
        }
    }

    /// Changes everything that stands there. Gives how often `change` said that it changed something.
    pub(crate) fn change(&self, body: &mut Value, mut change: impl FnMut(&mut Value) -> bool) -> usize {
        visit(&self.0, body, &mut change)
    }

    /// Takes the field away wherever it stands. Gives how often it did.
    pub(crate) fn take_away(&self, body: &mut Value) -> usize {
        let Some((Step::Field(name), above)) = self.0.split_last() else { return 0 };
        visit(above, body, &mut |holder| {
            holder.as_object_mut().is_some_and(|fields| fields.remove(name).is_some())
        })
    }
}

fn visit(steps: &[Step], value: &mut Value, change: &mut impl FnMut(&mut Value) -> bool) -> usize {
    match (steps.split_first(), value) {
        (None, value) => usize::from(change(value)),
        (Some((Step::Field(name), rest)), Value::Object(fields)) => {
            fields.get_mut(name).map_or(0, |value| visit(rest, value, change))
        }
        (Some((Step::Each, rest)), Value::Object(map)) => {
            map.values_mut().map(|value| visit(rest, value, change)).sum()
        }
        (Some((Step::Each, rest)), Value::Array(items)) => {
            items.iter_mut().map(|value| visit(rest, value, change)).sum()
        }
        _ => 0,
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Field(name) => write!(formatter, "/{name}")?,
                Step::Each => formatter.write_str("/*")?,
            }
        }
        Ok(())
    }
}

/// Everything that stands in a body at places which its schema knows, parents first.
pub(crate) fn sights<'v>(body: &'v Value, schema: &Value) -> Vec<Sight<'v>> {
    let mut survey = Survey { root: schema, sights: Vec::new() };
    survey.look(&Place::default(), body, &[schema], None);
    survey.sights
}

struct Survey<'v, 's> {
    root: &'s Value,
    sights: Vec<Sight<'v>>,
}

impl<'v, 's> Survey<'v, 's> {
    fn look(&mut self, place: &Place, value: &'v Value, schemas: &[&'s Value], field: Option<Field>) {
        let parts = self.parts(schemas);
        let known = |name: &str| -> Vec<&'s Value> {
            parts.iter().filter_map(|part| part.schema.get("properties")?.get(name)).collect()
        };
        let others: Vec<&'s Value> = parts.iter().flat_map(|part| other_fields(part.schema)).collect();
        let items: Vec<&'s Value> = parts.iter().filter_map(|part| part.schema.get("items")).collect();
        let has_properties = parts.iter().any(|part| part.schema.get("properties").is_some());
        let is_described = has_properties || !others.is_empty() || !items.is_empty();
        let is_map = value.is_object() && !has_properties && !others.is_empty();
        let is_deprecated =
            parts.iter().any(|part| part.schema.get("deprecated") == Some(&Value::Bool(true)));
        self.sights.push(Sight { place: place.clone(), value, field, is_map, is_described, is_deprecated });
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let schemas = known(name);
                    if !schemas.is_empty() {
                        let field = if parts.iter().any(|part| part.requires(name)) {
                            Field::Required
                        } else {
                            Field::Optional
                        };
                        self.look(&place.then(Step::Field(name.clone())), value, &schemas, Some(field));
                    } else if is_map {
                        self.look(&place.then(Step::Each), value, &others, None);
                    }
                }
            }
            Value::Array(values) if !items.is_empty() => {
                for value in values {
                    self.look(&place.then(Step::Each), value, &items, None);
                }
            }
            _ => {}
        }
    }

    /// The schemas that these consist of: references followed, alternatives and conjunctions beside each other.
    fn parts(&self, schemas: &[&'s Value]) -> Vec<Part<'s>> {
        let mut parts = Vec::new();
        for schema in schemas {
            self.take_apart(schema, true, 0, &mut parts);
        }
        parts
    }

    fn take_apart(&self, schema: &'s Value, holds: bool, depth: usize, parts: &mut Vec<Part<'s>>) {
        if depth > DEEPEST {
            return;
        }
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        if let Some(target) = target.and_then(|target| self.root.pointer(target)) {
            self.take_apart(target, holds, depth + 1, parts);
        }
        for (keyword, holds) in [("allOf", holds), ("oneOf", false), ("anyOf", false)] {
            for part in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                self.take_apart(part, holds, depth + 1, parts);
            }
        }
        parts.push(Part { schema, holds });
    }
}

/// A schema, and whether it holds whichever alternative does.
struct Part<'s> {
    schema: &'s Value,
    holds: bool,
}

impl Part<'_> {
    fn requires(&self, name: &str) -> bool {
        let required = self.schema.get("required").and_then(Value::as_array);
        self.holds && required.is_some_and(|required| required.iter().any(|required| required == name))
    }
}

/// The schemas of fields whose names are data.
fn other_fields(schema: &Value) -> Vec<&Value> {
    let additional = schema.get("additionalProperties").filter(|schema| schema.is_object());
    let patterns = schema.get("patternProperties").and_then(Value::as_object).map(Map::values);
    additional.into_iter().chain(patterns.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "allOf": [{"$ref": "#/$defs/page"}],
            "properties": {"rooms": {"additionalProperties": {"properties": {"name": {"type": "string"}}}}},
            "$defs": {"page": {"properties": {"chunk": {"items": {"properties": {"id": {}}}}}, "required": ["chunk"]}},
        })
    }

    #[test]
    fn places_are_those_that_the_schema_knows() {
        let body =
            json!({"chunk": [{"id": 1, "other": 2}], "rooms": {"!a": {"name": "x"}}, "unknown": {"name": 3}});
        let schema = schema();
        let places: Vec<_> =
            sights(&body, &schema).iter().map(|sight| format!("{} {:?}", sight.place, sight.field)).collect();
        insta::assert_snapshot!(places.join("\n"), @r"
         None
        /chunk Some(Required)
        /chunk/* None
        /chunk/*/id Some(Optional)
        /rooms Some(Optional)
        /rooms/* None
        /rooms/*/name Some(Optional)
        ");
    }

    #[test]
    fn a_change_reaches_every_item_and_every_key() {
        let schema = schema();
        let mut body =
            json!({"chunk": [{"id": 1}, {"id": 2}, {}], "rooms": {"!a": {"name": "x"}, "!b": {"name": "y"}}});
        let place_of = |text: &str| {
            let body = body.clone();
            let found = sights(&body, &schema).into_iter().find(|sight| sight.place.to_string() == text);
            found.map(|sight| sight.place).unwrap_or_default()
        };
        let (id, name) = (place_of("/chunk/*/id"), place_of("/rooms/*/name"));
        assert_eq!(id.change(&mut body, |value| std::mem::replace(value, json!(0)) != json!(0)), 2);
        assert_eq!(name.take_away(&mut body), 2);
        assert_eq!(body, json!({"chunk": [{"id": 0}, {"id": 0}, {}], "rooms": {"!a": {}, "!b": {}}}));
    }
}
