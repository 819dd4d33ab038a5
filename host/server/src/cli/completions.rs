//! `vm-system completions`.
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, printing};

/// Print a script that completes commands and flags in your shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bash        vm-system completions bash > ~/.local/share/bash-completion/completions/vm-system
  zsh         vm-system completions zsh > ~/.zfunc/_vm-system
              with `fpath+=(~/.zfunc); autoload -Uz compinit; compinit` in ~/.zshrc
  fish        vm-system completions fish > ~/.config/fish/completions/vm-system.fish
  elvish      vm-system completions elvish >> ~/.config/elvish/rc.elv
  powershell  vm-system completions powershell >> $PROFILE

  source <(vm-system completions bash)        only for the shell that is open

Write it again after an update: it knows the commands of the version that wrote it.")]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vm-system", &mut script);
    printing::out(String::from_utf8(script)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
