//! The chores of the repository, one file per command: `cargo xtask COMMAND`. Nothing here is shipped, and nothing
//! here knows how the product works inside: it runs commands, reads files and speaks to the finished binary.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line chore talks to its terminal, takes real time and reads the real environment"
)]

mod advisories;
mod clients;
mod crash;
mod deny;
mod deps;
mod doctor;
mod first_run;
mod footprint;
mod generate;
mod guide;
mod image;
mod layers;
mod limits;
mod model;
mod paths;
mod process;
mod serving;
mod steps;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                 every test there is; installs and starts what it needs
  layers               which crate may import which
  limits               what is longer than it should be (a report, it never fails)
  paths                every path that a guide names exists
  generate [--check]   write the generated files, or only see whether they are up to date
  guide [--screenshots]
                       the user guide as a static site in target/guide, without dead links;
                       --screenshots: makes its pictures anew
  first-run [--short]  the README's first command in a fresh clone, up to the first tool call;
                       --short: the development binary and a copy of the example
  first-run --openapi [--short]
                       from a fresh clone and a description of an API to the first call through OAuth by a client of
                       other people's, with the time of each step
  image [--short]      builds the container image without a container engine and serves the example from it, with
                       nothing writable but the volume; --short: the development binary (Linux, as root)
  crash [--seed NUMBER] [--calls NUMBER]
                       kills servers in the middle of calls with effects, and counts what became of each
  doctor [NAME]        looks at servers that nobody here wrote, all or one, and prints what it finds
  model [FAULTS]       every order of events of two callers with one idempotency key, with 2 faults or as many as are named
  footprint [PROGRAM]  size, start and memory of the program that the image has, or of another
  deny                 licences, banned crates and where crates come from
  advisories           known faults in the crates we use; exit code 3 when the list of them cannot be had
  deps                 how many crates the shipped binary is made of";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match arguments {
        ["test"] => test::run(&workspace),
        ["layers"] => layers::run(&workspace),
        ["limits"] => limits::run(&workspace),
        ["paths"] => paths::run(&workspace),
        ["generate"] => generate::write(&workspace),
        ["generate", "--check"] => generate::check(&workspace),
        ["guide"] => guide::run(&workspace),
        ["guide", "--screenshots"] => guide::screenshots(&workspace),
        ["first-run"] => first_run::from_clone(&workspace),
        ["first-run", "--short"] => first_run::short(&workspace),
        ["first-run", "--openapi"] => first_run::newcomer::from_clone(&workspace),
        ["first-run", "--openapi", "--short"] => first_run::newcomer::short(&workspace),
        ["image"] => image::full(&workspace),
        ["image", "--short"] => image::short(&workspace),
        ["crash", arguments @ ..] => crash::run(&workspace, arguments),
        ["doctor"] => doctor::run(&workspace, None),
        ["doctor", name] => doctor::run(&workspace, Some(name)),
        ["model"] => model::run(&workspace, "2"),
        ["model", faults] => model::run(&workspace, faults),
        ["footprint"] => footprint::run(&workspace, None),
        ["footprint", program] => footprint::run(&workspace, Some(program)),
        ["deny"] => deny::run(&workspace),
        ["advisories"] => return advisories::run(&workspace),
        ["deps"] => deps::run(&workspace),
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    }?;
    Ok(ExitCode::SUCCESS)
}
