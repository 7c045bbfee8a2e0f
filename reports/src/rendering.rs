//! The pictures of a record by their names, for command lines.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use crate::{Record, Style, github, go_test, html, junit, load, load::LoadRecord, markdown, tap, terminal};

/// A picture of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rendering {
    /// What a person reads at the end of a run.
    Terminal,
    /// For the comment of a pull request.
    Markdown,
    /// For the test views of CI services.
    Junit,
    /// The Test Anything Protocol.
    Tap,
    /// Annotations of a GitHub workflow.
    Github,
    /// The lines that `go test -json` prints, for the tools that read them.
    GoTest,
    /// One self-contained page.
    Html,
}

impl Rendering {
    /// Every picture there is.
    pub const ALL: [Self; 7] =
        [Self::Terminal, Self::Markdown, Self::Junit, Self::Tap, Self::Github, Self::GoTest, Self::Html];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Markdown => "markdown",
            Self::Junit => "junit",
            Self::Tap => "tap",
            Self::Github => "github",
            Self::GoTest => "gotest",
            Self::Html => "html",
        }
    }

    /// The picture that a file of this name is to hold, by its ending: `.md`, `.xml`, `.tap`, `.gotest.json`,
    /// `.html`, `.txt`.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "txt" => Some(Self::Terminal),
            "md" => Some(Self::Markdown),
            "xml" => Some(Self::Junit),
            "tap" => Some(Self::Tap),
            "html" => Some(Self::Html),
            "json" if path.file_stem()?.to_str()?.ends_with(".gotest") => Some(Self::GoTest),
            _ => None,
        }
    }

    /// Draws the picture. Only the one for the terminal has a style.
    ///
    /// # Errors
    /// When XML or JSON cannot be written.
    pub fn draw(self, record: &Record, style: Style) -> io::Result<String> {
        match self {
            Self::Terminal => Ok(terminal::render(record, style)),
            Self::Markdown => Ok(markdown::render(record)),
            Self::Junit => junit::render(record),
            Self::Tap => Ok(tap::render(record)),
            Self::Github => Ok(github::render(record)),
            Self::GoTest => go_test::render(record),
            Self::Html => Ok(html::render(record)),
        }
    }

    /// Draws the picture of a load run.
    ///
    /// # Errors
    /// When there is none of this form.
    pub fn draw_load(self, record: &LoadRecord, style: Style) -> io::Result<String> {
        match self {
            Self::Terminal => Ok(load::to_terminal(record, style)),
            Self::Markdown => Ok(load::to_markdown(record)),
            Self::Html => Ok(load::to_html(record)),
            other => Err(io::Error::other(format!(
                "load runs are not drawn as {other}; choose .html, .md or .txt"
            ))),
        }
    }
}

impl fmt::Display for Rendering {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that is no [`Rendering`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no rendering `{0}`: choose terminal, markdown, junit, tap, github, gotest or html")]
pub struct UnknownRendering(String);

impl FromStr for Rendering {
    type Err = UnknownRendering;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|rendering| rendering.name() == name)
            .ok_or_else(|| UnknownRendering(name.to_owned()))
    }
}
