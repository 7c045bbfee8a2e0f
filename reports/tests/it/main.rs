//! The crate through its public interface: what is written, what is read back, and everything that is shown.

mod comparing;
mod comparison_page;
mod html;
mod load;
mod outcome;
mod rendering;
mod sample;
mod terminal;
mod writing;
