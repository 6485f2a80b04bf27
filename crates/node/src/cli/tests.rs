//! What the command line says of itself.

use clap::{Command, CommandFactory};

use super::Cli;

fn visit(command: &Command, path: &str, found: &mut usize) {
    let path = format!("{path} {}", command.get_name());
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let example = format!("\n  {}", path.trim());
    let shown = help.contains("Example") && help.contains("\n  ");
    assert!(shown, "`{} --help` has no example", path.trim());
    // A command of its own is shown by a call of it, one with others inside by one of those.
    if !command.has_subcommands() {
        let is_called = help.contains(&example) || help.contains(&format!("| {}", path.trim()));
        assert!(is_called, "`{} --help` never calls it", path.trim());
    }
    *found += 1;
    command.get_subcommands().for_each(|inner| visit(inner, &path, found));
}

#[test]
fn the_help_of_each_command_has_an_example_that_calls_it() {
    let mut found = 0;
    visit(&Cli::command(), "", &mut found);
    assert!(found > 40, "{found}");
}
