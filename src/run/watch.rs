//! `determinant run --watch`: runs again whenever the server changes.
//!
//! Every run is another process, by the same command line: a server that does not come up, or is built anew as this very
//! program, takes nothing with it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use notify::{Event, EventKind, RecursiveMode, Watcher};
use reports::Style;
use suite::target::TargetFile;
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use crate::{Failure, arguments, harness, say};

/// A build writes a program in pieces: a change counts when nothing more has changed for so long.
const SETTLED: Duration = Duration::from_millis(300);

/// What ends the wait for a change.
enum News {
    Changed(PathBuf),
    Over,
}

pub(crate) fn watch(arguments: &arguments::Run) -> Result<ExitCode, Failure> {
    let paths = watched(arguments)?;
    // A program that is built anew meanwhile is no longer found by what the system calls this one.
    let program =
        std::env::current_exe().map_err(|error| Failure::Fault(format!("no own program: {error}")))?;
    harness::wait_for(async { Ok(go_on(&program, &paths, arguments.failed_last).await) })?
}

/// What is watched: what was named, or else what the target is made of.
fn watched(arguments: &arguments::Run) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = arguments.watch_path.clone();
    match (&arguments.target, &arguments.url) {
        (Some(path), _) => {
            let file = TargetFile::read(path).map_err(|error| Failure::Usage(error.to_string()))?;
            paths.extend(file.sources(path));
        }
        (None, Some(url)) if paths.is_empty() => {
            return Err(Failure::Usage(format!(
                "nothing says what {url} is made of; name its program or its configuration with --watch-path"
            )));
        }
        (None, Some(_)) => {}
        (None, None) => paths.extend(std::env::current_exe()),
    }
    paths.extend(arguments.expectations.clone());
    for path in &mut paths {
        *path = path
            .canonicalize()
            .map_err(|error| Failure::Usage(format!("cannot watch {}: {error}", path.display())))?;
    }
    Ok(paths)
}

async fn go_on(program: &Path, paths: &[PathBuf], failed_last: bool) -> Result<ExitCode, Failure> {
    let fault = |what: &str, error: &dyn std::fmt::Display| Failure::Fault(format!("{what}: {error}"));
    let (told, mut changes) = unbounded_channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let Ok(event) = event else { return };
        if !matches!(event.kind, EventKind::Access(_)) {
            for path in event.paths {
                // Whoever listened has ended, and so does this.
                let _ = told.send(path);
            }
        }
    })
    .map_err(|error| fault("changes of files cannot be watched", &error))?;
    for path in paths {
        // A program is replaced, not written to: what is watched is the folder that its name stands in.
        let (place, mode) = match path.parent() {
            Some(folder) if !path.is_dir() => (folder, RecursiveMode::NonRecursive),
            _ => (path.as_path(), RecursiveMode::Recursive),
        };
        watcher.watch(place, mode).map_err(|error| fault("changes of files cannot be watched", &error))?;
    }
    let mut ends = Ends::new().map_err(|error| fault("no signal handler", &error))?;
    let mut only_failed = failed_last;
    loop {
        if Style::of_stdout() != Style::plain() {
            say("\u{1b}[2J\u{1b}[H");
        }
        let mut run = start(program, only_failed).map_err(|error| fault("no run", &error))?;
        let code = tokio::select! {
            ended = run.wait() => ended.map_err(|error| fault("no run", &error))?.code(),
            () = ends.come() => {
                stop(&run);
                let ended = run.wait().await.map_err(|error| fault("no run", &error))?;
                return Ok(exit_code(ended.code()));
            }
        };
        // A run of what failed last has nothing to put once it has passed.
        if only_failed && code == Some(2) {
            only_failed = false;
            continue;
        }
        let next = if code == Some(1) { "what failed" } else { "all that was asked for" };
        say(format!(
            "watching {}: the next change puts {next} again; q and Enter, or Ctrl-C, end it",
            told_paths(paths)
        ));
        match wait(&mut changes, &mut ends, paths).await {
            News::Over => return Ok(exit_code(code)),
            News::Changed(path) => say(format!("{} has changed", path.display())),
        }
        only_failed = code == Some(1) || failed_last;
    }
}

/// Waits for a change of what is watched to be over, or for the end.
async fn wait(changes: &mut UnboundedReceiver<PathBuf>, ends: &mut Ends, paths: &[PathBuf]) -> News {
    let is_watched = |changed: &Path| paths.iter().any(|path| changed.starts_with(path));
    let changed = loop {
        tokio::select! {
            changed = changes.recv() => match changed {
                Some(changed) if is_watched(&changed) => break changed,
                Some(_) => {}
                None => return News::Over,
            },
            () = ends.come() => return News::Over,
        }
    };
    while tokio::time::timeout(SETTLED, changes.recv()).await.is_ok_and(|more| more.is_some()) {}
    News::Changed(changed)
}

/// The ways to end it: a signal, or `q` on a line of standard input.
struct Ends {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    typed: UnboundedReceiver<()>,
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        let (told, typed) = unbounded_channel();
        // Reading blocks, and nothing can end that but the end of the program.
        std::thread::spawn(move || {
            let quits = |line: &String| line.trim() == "q";
            if std::io::stdin().lines().map_while(Result::ok).any(|line| quits(&line)) {
                let _ = told.send(());
            } else {
                // Input that has ended says nothing: the watch goes on without it.
                std::thread::park();
            }
        });
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Ends { interrupt, terminate, typed })
    }

    async fn come(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.typed.recv() => {}
        }
    }
}

/// Begins a run with the words of this command line, without those of watching.
fn start(program: &Path, only_failed: bool) -> std::io::Result<Child> {
    let mut words: Vec<OsString> = Vec::new();
    let mut given = std::env::args_os().skip(1);
    while let Some(word) = given.next() {
        match word.to_str() {
            Some("--watch" | "--failed-last") => {}
            Some("--watch-path") => drop(given.next()),
            Some(text) if text.starts_with("--watch-path=") => {}
            _ => words.push(word),
        }
    }
    if only_failed {
        words.push("--failed-last".into());
    }
    Command::new(program).args(words).stdin(std::process::Stdio::null()).spawn()
}

/// Asks a run to end; Ctrl-C in a terminal has reached it already, and it takes no harm from being asked twice.
fn stop(run: &Child) {
    let pid = run.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    }
}

fn exit_code(code: Option<i32>) -> ExitCode {
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(3))
}

fn told_paths(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}
