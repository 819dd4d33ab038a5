//! The daemon and the command line of vm-system.
#![forbid(unsafe_code)]

pub mod cli;
