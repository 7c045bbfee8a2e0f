//! The help texts, verb by verb, as people read them.

use std::fmt::Write;

use crate::ended;

/// Every verb and every verb below a verb.
const VERBS: &[&[&str]] = &[
    &[],
    &["run"],
    &["serve"],
    &["list"],
    &["explain"],
    &["coverage"],
    &["compare"],
    &["doctor"],
    &["expect"],
    &["expect", "update"],
    &["expect", "import"],
    &["record"],
    &["record", "check"],
    &["record", "table"],
    &["record", "timeline"],
    &["selftest"],
    &["load"],
    &["load", "client"],
    &["load", "federation"],
    &["load", "journeys"],
    &["load", "voip"],
    &["load", "capacity"],
    &["load", "merge"],
    &["sessions"],
    &["histories"],
    &["hostile"],
    &["together"],
    &["stand-in"],
    &["vectors"],
    &["vectors", "run"],
    &["vectors", "fuzz"],
    &["vectors", "show"],
    &["vectors", "answer"],
    &["catalogue"],
    &["catalogue", "import"],
    &["catalogue", "check"],
    &["catalogue", "ledger"],
    &["catalogue", "ledger", "import"],
    &["catalogue", "ledger", "check"],
    &["catalogue", "ledger", "read"],
    &["completions"],
    &["manual"],
];

#[test]
fn help_reads_well() {
    let mut pages = String::new();
    for verb in VERBS {
        let arguments: Vec<_> = verb.iter().copied().chain(["--help"]).collect();
        let (code, page, errors) = ended(&arguments);
        assert_eq!(code, 0, "{errors}");
        let command = ["determinant"].into_iter().chain(verb.iter().copied()).collect::<Vec<_>>().join(" ");
        let _ = writeln!(pages, "# {command} --help\n\n{page}");
    }
    insta::assert_snapshot!(pages);
}

/// A verb that is not in the table above would go unread.
#[test]
fn no_verb_is_forgotten() {
    let listed = |verb: &[&str]| {
        let arguments: Vec<_> = verb.iter().copied().chain(["--help"]).collect();
        let (_, page, _) = ended(&arguments);
        let commands =
            page.split_once("Commands:\n").map(|(_, commands)| commands.to_owned()).unwrap_or_default();
        let names = commands.lines().take_while(|line| !line.is_empty());
        let names = names.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned));
        names.filter(|name| !name.is_empty() && name != "help").collect::<Vec<_>>()
    };
    for verb in listed(&[]) {
        assert!(VERBS.contains(&[verb.as_str()].as_slice()), "{verb}");
        for below in listed(&[&verb]) {
            assert!(VERBS.contains(&[verb.as_str(), below.as_str()].as_slice()), "{verb} {below}");
        }
    }
}

/// Every verb has its page, and the page says what the help says.
#[test]
fn manual_has_a_page_for_every_verb() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, _, errors) = ended(&["manual", folder.path().to_str().expect("a path")]);
    assert_eq!(code, 0, "{errors}");
    for verb in VERBS {
        let name = ["determinant"].into_iter().chain(verb.iter().copied()).collect::<Vec<_>>().join("-");
        let page = std::fs::read_to_string(folder.path().join(format!("{name}.1")));
        assert!(
            page.unwrap_or_else(|error| panic!("{name}.1: {error}")).contains(".SH DESCRIPTION"),
            "{name}"
        );
    }
}

#[test]
fn every_shell_can_complete_the_verbs() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script, errors) = ended(&["completions", shell]);
        assert_eq!(code, 0, "{errors}");
        assert!(script.contains("selftest") && script.contains("time-scale"), "{shell}");
    }
}
