//! The JavaScript guest: QuickJS-ng (through javy) behind wit-dylib's interface.
//!
//! The host links this library with the bindings that wit-dylib makes for a template's world. The bindings call
//! [`abi`]; `vm:session/guest` is answered by [`exports`], and the functions of the listed modules become JavaScript
//! functions in [`imports`]. README.md tells how it is built.
mod abi;
mod call;
mod console;
mod encoding;
mod evaluate;
mod exception;
mod exports;
mod globals;
mod host;
mod import_meta;
mod imports;
mod interrupt;
mod jobs;
mod js;
mod lower;
mod memory;
mod render;
mod session;
mod specifier;
mod text;
mod tickets;
mod web;
mod wit;

/// Makes the engine and its globals. Runs once, when the component is first instantiated: an image starts behind it.
fn init() {
    if session::init().is_err() {
        panic!("the engine could not be set up");
    }
}
