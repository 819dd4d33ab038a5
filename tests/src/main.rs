//! The same program as `vm-system`, built where the tests find it; `tidy` holds the two to the same text.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    server::cli::main()
}
