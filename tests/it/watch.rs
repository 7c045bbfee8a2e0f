//! `determinant run --watch`: runs that follow changes of the server.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::{determinant, ended};

/// A watch that is under way, and the lines that it prints.
struct Watch {
    process: Child,
    lines: Receiver<String>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Watch {
    fn start(cache: &Path, target: &Path) -> Self {
        let target = target.to_str().expect("a path");
        let [failing, other] = ["client/tags/are-listed-until-removed", "client/tags/untagged-room-has-none"];
        let fixed = ["run", "--target", target, "--only", failing, "--only", other, "--watch"];
        let mut process = determinant(&fixed)
            .env("XDG_CACHE_HOME", cache)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let (told, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| told.send(line).is_ok()));
        Watch { process, lines }
    }

    /// The lines until the run is over and the next change is waited for, that line included.
    fn until_it_waits(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(120));
            lines.push(line.unwrap_or_else(|error| panic!("{error} after {lines:#?}")));
            if lines.last().is_some_and(|line| line.starts_with("watching ")) {
                return lines;
            }
        }
    }
}

/// A target that launches the built-in server, which may commit a fault.
fn write_target(folder: &Path, fault: &str) {
    let text = r#"
name = "watched"
registration = { method = "dummy" }
[launch]
program = "{determinant}"
arguments = ["serve", "--config", "{data_dir}/serve.toml"]
[[files]]
template = "serve.toml.in"
to = "{data_dir}/serve.toml"
"#;
    let configuration = format!(
        "server_name = \"{{server_name}}\"\n{fault}\n[client]\nlisten = \"127.0.0.1:{{client_port}}\"\n"
    );
    fs::write(folder.join("target.toml"), text).expect("a file");
    fs::write(folder.join("serve.toml.in"), configuration).expect("a file");
}

#[test]
fn a_change_of_the_configuration_puts_what_failed_again() {
    let (folder, cache) = (tempdir().expect("a folder"), tempdir().expect("a folder"));
    write_target(folder.path(), "misbehave = [\"tags-not-removed\"]");
    let mut watch = Watch::start(cache.path(), folder.path());
    let first = watch.until_it_waits();
    assert!(
        first.iter().any(|line| line.starts_with("FAIL   client/tags/are-listed-until-removed")),
        "{first:#?}"
    );
    assert!(
        first.last().is_some_and(|line| line.contains("the next change puts what failed again")),
        "{first:#?}"
    );

    // A file beside it that nobody watches changes nothing; the configuration does.
    fs::write(folder.path().join("notes"), "").expect("a file");
    write_target(folder.path(), "");
    let second = watch.until_it_waits();
    assert!(
        second[0].ends_with(".toml has changed") || second[0].ends_with("serve.toml.in has changed"),
        "{second:#?}"
    );
    assert!(!second.iter().any(|line| line.starts_with("FAIL")), "{second:#?}");
    assert!(second.last().is_some_and(|line| line.contains("all that was asked for")), "{second:#?}");
    let record = fs::read_to_string(cache.path().join("determinant/last-run.json")).expect("a record");
    let put =
        record.matches("\"id\":\"client/tags/").count() + record.matches("\"id\": \"client/tags/").count();
    assert_eq!(put, 1, "only what failed is put again");

    watch.process.stdin.take().expect("its input").write_all(b"q\n").expect("it reads");
    assert_eq!(watch.process.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_signal_ends_the_watch_with_the_exit_code_of_the_last_run() {
    let (folder, cache) = (tempdir().expect("a folder"), tempdir().expect("a folder"));
    write_target(folder.path(), "misbehave = [\"tags-not-removed\"]");
    let mut watch = Watch::start(cache.path(), folder.path());
    watch.until_it_waits();
    kill_process(Pid::from_child(&watch.process), Signal::INT).expect("it is there");
    assert_eq!(watch.process.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_server_that_is_up_needs_to_be_told_what_to_watch() {
    let (code, _, errors) = ended(&["run", "http://localhost:1", "--watch"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("--watch-path"), "{errors}");
    let (code, _, errors) = ended(&["run", "--watch", "--watch-path", "no/such/program"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("cannot watch no/such/program"), "{errors}");
}
