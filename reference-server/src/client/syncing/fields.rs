//! Events reduced to the fields that a filter names: client-server-api/#filtering.

use serde_json::{Map, Value};

use crate::property_path::split;

/// The parts of an object that dot-separated paths lead to (appendices/#dot-separated-property-paths).
pub(super) fn select(object: &Map<String, Value>, paths: &[String]) -> Map<String, Value> {
    let mut selected = Map::new();
    for path in paths {
        copy(object, &split(path), &mut selected);
    }
    selected
}

/// Copies what is at the end of a path, if it leads anywhere.
fn copy(from: &Map<String, Value>, path: &[String], to: &mut Map<String, Value>) {
    let Some((name, rest)) = path.split_first() else { return };
    match from.get(name) {
        Some(value) if rest.is_empty() => drop(to.insert(name.clone(), value.clone())),
        Some(Value::Object(inner)) => {
            let known = to.get(name).and_then(Value::as_object).cloned();
            let mut copied = known.unwrap_or_default();
            copy(inner, rest, &mut copied);
            if !copied.is_empty() {
                to.insert(name.clone(), Value::Object(copied));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::select;

    #[test]
    fn paths_lead_into_objects() {
        let Value::Object(event) = json!({"type": "t", "content": {"a.b": 1, "c": {"d": 2}, "e": 3}}) else {
            unreachable!("an object was written")
        };
        let paths = ["content.a\\.b", "content.c.d", "content.none", "type"].map(str::to_owned);
        assert_eq!(
            Value::Object(select(&event, &paths)),
            json!({"type": "t", "content": {"a.b": 1, "c": {"d": 2}}})
        );
    }
}
