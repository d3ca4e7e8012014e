//! The `bridgehead` command. Everything it does is in [`bridgehead::cli`].

use std::process::ExitCode;

/// A quarter more throughput than the system's allocator under many small JSON values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bridgehead::cli::main()
}
