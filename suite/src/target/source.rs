//! Where a server comes from.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use url::Url;

use super::{TargetError, file::TargetFile};

/// Where the server comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A server that is already up.
    Url(Url),
    /// A server that a target file says how to launch, or how to reach.
    File(PathBuf),
    /// A server that a target file says how to start in a container, of this image.
    Image {
        /// The image, as its engine knows it or can pull it.
        image: String,
        /// The target file.
        file: PathBuf,
    },
    /// A target file that is part of the program, and where its templates would stand.
    Embedded {
        /// What it is called.
        called: String,
        /// The target file.
        text: &'static str,
        /// Its templates and its expectations, by name.
        files: &'static [(&'static str, &'static str)],
        /// Values for its variables.
        variables: BTreeMap<String, String>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Url(url) => url.fmt(formatter),
            Source::File(path) => path.display().fmt(formatter),
            Source::Image { image, .. } => formatter.write_str(image),
            Source::Embedded { called, .. } => formatter.write_str(called),
        }
    }
}

impl Source {
    /// The target file behind it; none for a server that is only reached.
    pub(super) fn file(&self) -> Result<Option<TargetFile>, TargetError> {
        Ok(match self {
            Source::Url(_) => None,
            Source::File(path) => Some(TargetFile::read(path)?),
            Source::Image { image, file } => Some(TargetFile::read(file)?.in_container(image)?),
            Source::Embedded { text, files, variables, .. } => {
                Some(TargetFile::embedded(text, files, variables.clone())?)
            }
        })
    }

    /// Whether the server is started in a container.
    ///
    /// # Errors
    ///
    /// When its target file cannot be read.
    pub fn is_contained(&self) -> Result<bool, TargetError> {
        Ok(self.file()?.is_some_and(|file| file.is_contained()))
    }
}
