//! `conclave`: the one binary. It knows every command and decides nothing by itself.

mod advice;
mod cli;
mod config;
mod failure;
mod logging;
mod preflight;
mod serve;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = cli::become_command() {
        return code;
    }
    match cli::Cli::read().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
