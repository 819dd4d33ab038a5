//! Behaviour of vm-system through the real binary, a real database and the real guest. One module per behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that can't go on should panic"
)]

mod abuse;
mod additions;
mod adversity;
mod cases;
mod cli;
mod contract;
mod conversion;
mod database;
mod durable;
mod engine;
mod fetch;
mod files;
mod grants_edge;
mod harness;
mod hashes;
mod http;
mod image;
mod killing;
mod libraries;
mod limits;
mod logs;
mod metering;
mod npm;
mod programs;
mod readme;
mod recursion;
mod registry;
mod restart;
mod scripts;
mod secrets;
mod session;
mod snapfile;
mod sqlite;
mod starvation;
mod tidy;
mod tls;
mod typescript;
mod upgrade;
mod waiting;
mod web;
