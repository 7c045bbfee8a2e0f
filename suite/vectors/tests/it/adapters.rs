//! Adapters as they should not be, and what is said of them.

use std::time::Duration;

use rstest::rstest;
use vectors::adapter;
use vectors::question::{Form, Question};
use vectors::respondent::{AdapterFault, Respondent};
use vectors::{Answer, Text, expected};

fn question() -> Question {
    Question::CanonicalJson { json: Text::from(r#"{"b": 1, "a": 2}"#), form: Form::Strict }
}

fn ask(command: &str) -> Result<Answer, AdapterFault> {
    Respondent::start(command, Duration::from_secs(5)).unwrap().ask(&question())
}

#[test]
fn a_good_adapter_is_heard() {
    let given = ask(r#"echo '{"id": 0, "canonical": "{\"a\":2,\"b\":1}", "something": "else"}'"#).unwrap();
    assert_eq!(given, expected::answer(&question()));
}

#[rstest]
#[case::gone("true", "adapter ended with exit status: 0")]
#[case::failing("sh -c 'exit 3'", "adapter ended with exit status: 3")]
#[case::no_such_program("/no/such/program", "adapter ended with exit status: 127")]
#[case::garbage("echo nonsense", "adapter wrote no answer to question 0 but \"nonsense\"")]
#[case::empty("echo", "adapter wrote no answer to question 0 but \"\"")]
#[case::no_id("echo '{}'", "missing field `id`")]
#[case::other_id(r#"echo '{"id": 7}'"#, "its id is 7")]
#[case::wrong_type(
    r#"echo '{"id": 0, "allowed": "yes"}'"#,
    "invalid type: string \"yes\", expected a boolean"
)]
#[case::not_utf8(r"printf '\377\n'", "invalid utf-8")]
#[case::half_an_answer(r#"printf '{"id": 0'"#, "EOF while parsing")]
fn what_a_bad_adapter_did_is_told(#[case] command: &str, #[case] told: &str) {
    let fault = ask(command).unwrap_err().to_string();
    assert!(fault.contains(told), "{fault}");
}

#[test]
fn a_silent_adapter_is_not_waited_for() {
    let mut silent = Respondent::start("sleep 60", Duration::from_millis(50)).unwrap();
    assert!(matches!(silent.ask(&question()), Err(AdapterFault::Silent { id: 0, .. })));
}

#[test]
fn an_endless_line_is_cut_off() {
    let fault = ask("tr '\\0' 'x' < /dev/zero").unwrap_err().to_string();
    assert!(fault.contains("a line of more than"), "{fault}");
}

#[test]
fn many_questions_do_not_block_each_other() {
    // More than both pipes together can hold, to an adapter that answers one at a time.
    let long = "x".repeat(10_000);
    let questions: Vec<_> = (0..200)
        .map(|index| Question::CanonicalJson {
            json: Text::from(format!("\"{index}{long}\"")),
            form: Form::Strict,
        })
        .collect();
    let script = r#"sed -u 's/"json":/"canonical":/'"#;
    let answers = Respondent::start(script, Duration::from_secs(20)).unwrap().ask_all(&questions).unwrap();
    let expected: Vec<_> = questions.iter().map(expected::answer).collect();
    assert_eq!(answers, expected);
}

#[rstest]
#[case::no_json("nonsense", "null")]
#[case::no_object("17", "null")]
#[case::unknown_op(r#"{"id": 4, "op": "guess"}"#, "4")]
#[case::lacking(r#"{"id": 5, "op": "event_id"}"#, "5")]
fn what_is_no_question_is_refused(#[case] line: &str, #[case] id: &str) {
    let mut output = Vec::new();
    adapter::serve(line.as_bytes(), &mut output, expected::answer).unwrap();
    let output = String::from_utf8(output).unwrap();
    assert!(output.contains("not a question") && output.contains(&format!("\"id\":{id}")), "{output}");
}
