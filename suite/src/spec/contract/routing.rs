//! What is not there: unknown endpoints and methods, `client-server-api/#common-error-codes`.

use fixtures::catalogue::{Api, Catalogue, Operation};
use http::Method;
use serde_json::json;
use suite_attribute::conformance;

use super::{approach, paths, specimen::Specimen};
use crate::{
    cast::Homeserver,
    registry::Case,
    verdict::{Stop, Verdict},
};

/// The server answers 404 `M_UNRECOGNIZED` below a path where the specification has nothing.
#[conformance(
    spec = "client-server-api/#common-error-codes",
    level = Should,
    severity = Interop,
    each = paths_with_nothing_below
)]
async fn unknown_path(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::harmless(hs, &set, operation).await?;
    let answer = set.carol.get(below(&specimen.path)).answer().await?;
    if answer.status() == 405 && answer.errcode() == Some("M_UNRECOGNIZED") {
        return Err(Stop::Observed(
            "the server has an endpoint of its own there, with another method".to_owned(),
        ));
    }
    answer.must_refuse(404, "M_UNRECOGNIZED")?;
    Ok(())
}

/// The server answers 404 `M_UNRECOGNIZED` to an endpoint in a version that does not exist.
#[conformance(
    spec = "client-server-api/#common-error-codes",
    level = Should,
    severity = Interop,
    each = versioned_paths
)]
async fn unknown_version(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let specimen = Specimen::harmless(hs, &set, operation).await?;
    let path = in_another_version(&specimen.path);
    set.carol.request(specimen_method(&specimen), path).must_refuse(404, "M_UNRECOGNIZED").await?;
    Ok(())
}

/// The server answers 405 `M_UNRECOGNIZED` to a method that the endpoint does not have.
#[conformance(
    spec = "client-server-api/#common-error-codes",
    level = Should,
    severity = Interop,
    each = wrong_methods
)]
async fn wrong_method(hs: &Homeserver, case: WrongMethod) -> Verdict {
    let set = approach(hs, case.operation).await?;
    let specimen = Specimen::harmless(hs, &set, case.operation).await?;
    let call = set.carol.request(case.method.clone(), specimen.path.as_str());
    let call = if case.method == Method::GET { call } else { call.json(&json!({})) };
    call.must_refuse(405, "M_UNRECOGNIZED").await?;
    Ok(())
}

/// A path, by the first of its operations, and a method with which it has none.
#[derive(Clone, Debug)]
struct WrongMethod {
    operation: &'static Operation,
    method: Method,
}

impl Case for WrongMethod {
    fn label(&self) -> String {
        format!("{} {}", self.operation.id, self.method)
    }
}

fn wrong_methods() -> impl Iterator<Item = WrongMethod> {
    const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];
    paths().flat_map(|operation| {
        let right = methods(&plain(operation));
        let wrong = METHODS.into_iter().filter(move |method| !right.contains(&method.as_str()));
        wrong.map(move |method| WrongMethod { operation, method })
    })
}

fn paths_with_nothing_below() -> impl Iterator<Item = &'static Operation> {
    matrix_paths().filter(|operation| methods(&below(&plain(operation))).is_empty())
}

fn versioned_paths() -> impl Iterator<Item = &'static Operation> {
    matrix_paths().filter(|operation| in_another_version(operation.path.as_str()) != operation.path.as_str())
}

/// Well-known documents stand outside the Matrix API; what else is there is the web site's business.
fn matrix_paths() -> impl Iterator<Item = &'static Operation> {
    paths().filter(|operation| operation.path.as_str().starts_with("/_matrix/"))
}

/// The path with letters for its parameters.
fn plain(operation: &Operation) -> String {
    operation.path.as_str().replace(['{', '}'], "")
}

fn methods(path: &str) -> Vec<&'static str> {
    Catalogue::v1_19().methods(Api::ClientServer, path).into_iter().map(|method| method.as_str()).collect()
}

fn below(path: &str) -> String {
    format!("{}/determinant-unknown", path.trim_end_matches('/'))
}

fn in_another_version(path: &str) -> String {
    path.replacen("/v3/", "/v99/", 1).replacen("/v1/", "/v99/", 1)
}

fn specimen_method(specimen: &Specimen) -> Method {
    super::specimen::method(specimen.operation.method)
}
