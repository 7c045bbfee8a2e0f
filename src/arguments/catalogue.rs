//! The command line of `determinant catalogue`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Catalogue {
    /// Make the catalogue from a checkout of the specification.
    Import {
        /// The checkout, or its data folder.
        #[arg(value_name = "DIR")]
        specification: PathBuf,
        /// Where the catalogue goes.
        #[arg(long, value_name = "DIR", default_value = "fixtures/catalogue/v1.19")]
        out: PathBuf,
    },
    /// Compare the catalogue with a checkout of the specification.
    Check {
        /// The checkout, or its data folder.
        #[arg(value_name = "DIR")]
        specification: PathBuf,
    },
    /// Make the ledger of every sentence that obliges somebody, or compare it with the specification.
    Ledger {
        #[command(subcommand)]
        verb: Ledger,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Make the ledger from a checkout of the specification: what was decided of a sentence is kept, new ones wait to be read.
    Import {
        /// The checkout.
        #[arg(value_name = "DIR")]
        specification: PathBuf,
        /// Where the ledger goes.
        #[arg(long, value_name = "DIR", default_value = "fixtures/ledger")]
        out: PathBuf,
    },
    /// Compare the ledger with a checkout of the specification.
    Check {
        /// The checkout.
        #[arg(value_name = "DIR")]
        specification: PathBuf,
    },
    /// Print the sentences of a checkout beside what was decided of them.
    Read {
        /// The checkout.
        #[arg(value_name = "DIR")]
        specification: PathBuf,
        /// Print only rows whose id begins with this.
        #[arg(long, value_name = "ID-PREFIX", default_value = "")]
        only: String,
    },
}
