//! What CI users are given: the steps of the GitHub Action, run as it runs them, the GitLab example, and the gate.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reports::{Record, Verdict};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::ended;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CHECK: &str = "client/tags/are-listed-until-removed";

fn yaml(path: &str) -> Value {
    let text = fs::read_to_string(Path::new(ROOT).join(path)).expect("a file");
    serde_norway::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A runner of GitHub, as far as the steps know it.
struct Runner {
    folder: TempDir,
    inputs: BTreeMap<String, String>,
    path: String,
}

impl Runner {
    fn new(given: &[(&str, &str)]) -> Self {
        let action = yaml("action.yml");
        let declared = action["inputs"].as_object().expect("inputs");
        let usual = |input: &Value| input["default"].as_str().unwrap_or_default().to_owned();
        let mut inputs: BTreeMap<String, String> =
            declared.iter().map(|(name, input)| (name.clone(), usual(input))).collect();
        for (name, value) in given.iter().chain(&[("program", env!("CARGO_BIN_EXE_determinant"))]) {
            assert!(inputs.insert((*name).to_owned(), (*value).to_owned()).is_some(), "no input {name}");
        }
        Runner { folder: tempdir().expect("a folder"), inputs, path: std::env::var("PATH").expect("a path") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Runs a step that has a script; gives its exit code and what it said.
    fn step(&mut self, name: &str) -> (i32, String) {
        let action = yaml("action.yml");
        let steps = action["runs"]["steps"].as_array().expect("steps");
        let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}"));
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", step["run"].as_str().expect("a script")]);
        for (name, value) in step["env"].as_object().expect("an environment") {
            command.env(name, self.filled(value.as_str().expect("text")));
        }
        for (name, file) in
            [("GITHUB_PATH", "path"), ("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary")]
        {
            command.env(name, self.file(file));
        }
        command.envs([("GITHUB_ACTIONS", "true"), ("PATH", self.path.as_str())]);
        command.env("RUNNER_TEMP", self.file("temp")).env("XDG_CACHE_HOME", self.file("cache"));
        let output = command.current_dir(self.folder.path()).output().expect("bash");
        for folder in self.read("path").lines() {
            self.path = format!("{folder}:{}", self.path);
        }
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("an exit code"), String::from_utf8_lossy(&said).into_owned())
    }

    /// The value of an expression such as `${{ inputs.url }}`.
    fn filled(&self, value: &str) -> String {
        let Some(name) = value.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}")) else {
            return value.to_owned();
        };
        match name.strip_prefix("inputs.") {
            Some(input) => self.inputs.get(input).unwrap_or_else(|| panic!("no input {input}")).clone(),
            None if name == "github.action_path" => ROOT.to_owned(),
            None => panic!("{name} is not known here"),
        }
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    listener.local_addr().expect("an address").port()
}

#[test]
fn the_action_starts_a_server_judges_it_and_keeps_what_came() {
    let port = free_port();
    let start = format!("determinant serve --listen 127.0.0.1:{port}");
    let url = format!("http://127.0.0.1:{port}");
    let arguments = format!("--only {CHECK} --seed 1");
    let mut runner = Runner::new(&[("start", &start), ("url", &url), ("arguments", &arguments)]);
    let (code, said) = runner.step("Install");
    assert_eq!(code, 0, "{said}");
    let (code, said) = runner.step("Judge");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("::notice title=Determinant::"), "{said}");
    assert!(runner.read("summary").contains("as expected"), "{}", runner.read("summary"));
    assert_eq!(runner.read("output"), "record=determinant-results/record.json\nexit-code=0\n");
    let record = Record::read(runner.file("determinant-results/record.json")).expect("a record");
    assert!(record.checks.iter().any(|check| check.id == CHECK && check.verdict == Verdict::Pass));
    for report in ["report.html", "junit.xml"] {
        assert!(!runner.read(&format!("determinant-results/{report}")).is_empty(), "{report}");
    }
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "the server outlives the step");
}

#[test]
fn the_action_tells_of_a_server_that_does_not_come_up() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let mut runner = Runner::new(&[("start", "echo the disk is on fire; exit 5"), ("url", &url)]);
    assert_eq!(runner.step("Install").0, 0);
    let (code, said) = runner.step("Judge");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("::error title=Determinant::the server did not come up"), "{said}");
    assert!(said.contains("the disk is on fire"), "{said}");
}

/// The records of the same check before and after a fault.
fn before_and_after(folder: &Path) -> (String, String) {
    let path = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    let (before, after) = (path("before.json"), path("after.json"));
    let fixed = ["run", "--only", CHECK, "--seed", "1", "--record"];
    assert_eq!(ended(&[&fixed[..], &[before.as_str()]].concat()).0, 0);
    assert_eq!(ended(&[&fixed[..], &[after.as_str(), "--misbehave", "tags-not-removed"]].concat()).0, 1);
    (before, after)
}

/// The message of a gate names the check, the sentence that it puts, and the command that repeats it.
#[test]
fn one_regression_fails_the_build_and_is_told_in_full() {
    let folder = tempdir().expect("a folder");
    let (before, after) = before_and_after(folder.path());
    let (code, said, errors) = ended(&["compare", &before, &before, "--fail-on", "regression"]);
    assert_eq!(code, 0, "{said}{errors}");

    let (code, said, errors) = ended(&["compare", &before, &after, "--fail-on", "regression"]);
    assert_eq!(code, 1, "{said}{errors}");
    let record = Record::read(&after).expect("a record");
    let check = record.checks.iter().find(|check| check.id == CHECK).expect("the check");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        CHECK,
        &check.requirement,
        "https://spec.matrix.org/v1.19/client-server-api/#",
        "determinant run --misbehave tags-not-removed --only 'client/tags/are-listed-until-removed' --seed 1",
    ] {
        assert!(said.contains(told), "{told:?} is not in {said}");
    }
}

#[test]
fn the_action_is_such_a_gate() {
    let folder = tempdir().expect("a folder");
    let (before, after) = before_and_after(folder.path());
    let mut runner = Runner::new(&[("base", &before)]);
    assert_eq!(runner.step("Install").0, 0);
    fs::create_dir(runner.file("determinant-results")).expect("a folder");
    fs::copy(after, runner.file("determinant-results/record.json")).expect("a record");
    let (code, said) = runner.step("Compare");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("determinant run --misbehave tags-not-removed --only"), "{said}");
    assert!(runner.read("summary").contains(CHECK), "{}", runner.read("summary"));
    assert!(runner.read("determinant-results/comparison.html").contains("<html"));
}

/// Everything that is quoted of determinant in the example is understood, and what it keeps is what it writes.
#[test]
fn the_example_for_gitlab_is_understood() {
    let job = &yaml(".ci/examples/gitlab.yml")["conformance"];
    let script = job["script"].as_array().expect("a script");
    for line in script.iter().filter_map(Value::as_str) {
        let words: Vec<&str> = line.split(' ').skip(1).chain(["--help"]).collect();
        let (code, _, errors) = ended(&words);
        assert_eq!(code, 0, "{line}: {errors}");
        for kept in job["artifacts"]["paths"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(line.contains(kept), "{kept} is never written");
        }
        assert!(line.contains(job["artifacts"]["reports"]["junit"].as_str().expect("a report")));
    }
}
