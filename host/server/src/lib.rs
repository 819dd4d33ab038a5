//! The daemon and the command line of vm-system.
//!
//! A request takes three hops after its handler: [`registry::Registry`], the session's task, the sandbox.
#![forbid(unsafe_code)]

pub mod api;
pub mod app;
mod backlog;
mod builds;
pub mod cli;
pub mod clock;
pub mod config;
pub mod fault;
mod http;
mod keep;
mod kv;
pub mod libraries;
pub mod migrate;
mod nursery;
pub mod operate;
pub mod prepare;
mod recipes;
pub mod registry;
pub mod residence;
pub mod rewind;
pub mod run;
pub mod secrets;
pub mod session;
pub mod snapfile;
mod task;
pub mod transfer;
pub mod worktrees;
