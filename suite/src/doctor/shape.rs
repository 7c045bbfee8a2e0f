//! Answers beside what the catalogue documents.

use fixtures::catalogue::Catalogue;

use super::visit::Answer;
use crate::judge::described;

/// The operations that are asked for.
pub(super) const CLIENT_WELL_KNOWN: &str = "client-server/getWellknown";
pub(super) const VERSIONS: &str = "client-server/getVersions";
pub(super) const AUTH_METADATA: &str = "client-server/getAuthMetadata";
pub(super) const SERVER_VERSION: &str = "server-server/getVersion";
pub(super) const SERVER_KEYS: &str = "server-server/getServerKey";

/// What is wrong with an answer that should be the documented success of an operation; nothing where all is well.
pub(super) fn misshapen(operation: &str, answer: &Answer) -> Option<String> {
    if answer.status != 200 {
        return Some(answer.words());
    }
    let Some(json) = &answer.json else {
        return Some(format!("a body that is not JSON: {}", answer.words()));
    };
    let catalogue = Catalogue::v1_19();
    let schema = catalogue.response_schema(catalogue.operation(operation)?, 200)?;
    let validator = jsonschema::validator_for(&schema).ok()?;
    let problems: Vec<String> = validator.iter_errors(json).take(3).map(|error| described(&error)).collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_knows_what_is_asked() {
        let catalogue = Catalogue::v1_19();
        for name in [CLIENT_WELL_KNOWN, VERSIONS, AUTH_METADATA, SERVER_VERSION, SERVER_KEYS] {
            let schema =
                catalogue.operation(name).and_then(|operation| catalogue.response_schema(operation, 200));
            assert!(schema.is_some_and(|schema| jsonschema::validator_for(&schema).is_ok()), "{name}");
        }
    }
}
