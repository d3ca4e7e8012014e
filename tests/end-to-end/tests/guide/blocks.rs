//! The fenced blocks of a page, each with the role that its info string gives it. A block without a role is a fault, so
//! that nothing on a page goes untried by mistake.

/// A block, with the line that its fence stands in.
pub(crate) struct Placed {
    pub(crate) line: usize,
    pub(crate) block: Block,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Block {
    /// `toml bridgehead.toml`: a whole file. With `toml wrong slip.toml` a configuration that does not hold.
    File { path: String, text: String, holds: bool },
    /// `toml in bridgehead.toml`: settings that are put into a file.
    Settings { path: String, text: String },
    /// `console`: commands with what they say. With `console fails` the last one does not succeed.
    Commands { commands: Vec<Shown>, fails: bool },
    /// `console untried`: commands that cannot be run here.
    Untried { commands: Vec<Shown> },
    /// `rust from PATH`: what stands in a file of the repository.
    Excerpt { path: String, text: String },
}

/// A command, and the lines that are shown below it.
#[derive(Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) command: String,
    pub(crate) says: Vec<String>,
}

/// Languages of blocks that are only looked at.
const PICTURES: [&str; 3] = ["text", "json", "http"];

/// All blocks of a page in their order.
pub(crate) fn blocks(page: &str) -> Result<Vec<Placed>, String> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let at = |fault: String| format!("line {}: {fault}", number + 1);
        let Some(info) = line.strip_prefix("```") else {
            // It would be shown as a block, and nobody would try it.
            let is_hidden = ["```", "~~~"].iter().any(|fence| line.trim_start_matches(['>', ' ']).starts_with(fence));
            if is_hidden {
                return Err(at(format!("`{line}`: a block begins with three backticks at the start of its line")));
            }
            continue;
        };
        let mut text = Vec::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, line)) => text.push(line),
                None => return Err(at("the block has no end".to_owned())),
            }
        }
        let block = block(info, &text).map_err(at)?;
        found.extend(block.map(|block| Placed { line: number + 1, block }));
    }
    Ok(found)
}

fn block(info: &str, lines: &[&str]) -> Result<Option<Block>, String> {
    let words: Vec<&str> = info.split_whitespace().collect();
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    Ok(Some(match words.as_slice() {
        ["console"] => Block::Commands { commands: commands(lines)?, fails: false },
        ["console", "fails"] => Block::Commands { commands: commands(lines)?, fails: true },
        ["console", "untried"] => Block::Untried { commands: commands(lines)? },
        [language] if PICTURES.contains(language) => return Ok(None),
        ["toml", "in", path] => Block::Settings { path: (*path).to_owned(), text },
        ["toml", "wrong", path] => Block::File { path: (*path).to_owned(), text, holds: false },
        [_, "from", path] => Block::Excerpt { path: (*path).to_owned(), text },
        ["console", ..] => return Err(format!("`{info}`: a console is nothing, `fails` or `untried`")),
        [_, path] => Block::File { path: (*path).to_owned(), text, holds: true },
        _ => return Err(format!("`{info}` says neither which file the block is, nor that it is a console")),
    }))
}

fn commands(lines: &[&str]) -> Result<Vec<Shown>, String> {
    let mut commands: Vec<Shown> = Vec::new();
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(Shown { command: command.to_owned(), says: Vec::new() });
            continue;
        }
        let Some(last) = commands.last_mut() else { return Err(format!("`{line}` stands before any command")) };
        if last.says.is_empty() && last.command.ends_with('\\') {
            last.command = format!("{}\n{line}", last.command);
        } else {
            last.says.push((*line).to_owned());
        }
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::{Block, blocks};

    #[test]
    fn each_block_has_the_role_that_it_names() {
        let page = "# A page\n\n```toml a.toml\nname = \"A\"\n```\n```json\n{}\n```\n```console\n$ one \\\n  two\nsaid\n$ three\n```\n";
        let found = blocks(page).unwrap();
        let [file, console] = found.as_slice() else { panic!("{}", found.len()) };
        assert_eq!((file.line, console.line), (3, 9));
        assert_eq!(file.block, Block::File { path: "a.toml".into(), text: "name = \"A\"\n".into(), holds: true });
        let Block::Commands { commands, fails: false } = &console.block else { panic!("{:?}", console.block) };
        assert_eq!(commands[0].command, "one \\\n  two");
        assert_eq!(commands[0].says, ["said"]);
        assert_eq!(commands[1].command, "three");
    }

    #[test]
    fn a_block_without_a_role_is_a_fault() {
        for page in [
            "```toml\n```",
            "```sh\nls\n```",
            "```\nx\n```",
            "```console failing\n```",
            "```console\nsaid\n```",
            "```console\n$ true",
            "  ```console\n  $ true\n  ```",
            "> ```console\n> $ true\n> ```",
            "~~~console\n$ true\n~~~",
        ] {
            assert!(blocks(page).is_err_and(|fault| fault.starts_with("line 1: ")), "{page}");
        }
    }
}
