//! `cargo xtask limits`: what is longer than it should be. A report to think about, so it never fails.

use std::path::Path;

use anyhow::Result;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::workspace::Workspace;

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 80;
const PARAMETERS: usize = 6;
/// Tests that are longer live in a sibling file.
const INLINE_TEST_LINES: usize = 150;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut findings = Vec::new();
    let mut count = 0;
    for file in workspace.files()? {
        if file.extension().is_some_and(|extension| extension == "rs") {
            count += 1;
            findings.extend(measure(&file, &workspace.read(&file)?));
        }
    }
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} findings in {count} files (soft limits: they do not fail)", findings.len());
    Ok(())
}

fn measure(file: &Path, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES {
        findings.push(format!("{}: {lines} lines, the limit is {FILE_LINES}", file.display()));
    }
    match syn::parse_file(text) {
        Ok(parsed) => {
            let mut measure = Measure { file, findings };
            measure.visit_file(&parsed);
            measure.findings
        }
        Err(error) => {
            findings.push(format!("{}:{}: cannot be parsed: {error}", file.display(), error.span().start().line));
            findings
        }
    }
}

struct Measure<'a> {
    file: &'a Path,
    findings: Vec<String>,
}

impl Measure<'_> {
    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.span().start().line;
        let lines = body.span().end().line - first + 1;
        let at = format!("{}:{first}: fn {}", self.file.display(), signature.ident);
        if lines > FUNCTION_LINES {
            self.findings.push(format!("{at}: {lines} lines, the limit is {FUNCTION_LINES}"));
        }
        let parameters = signature.inputs.len();
        if parameters > PARAMETERS {
            self.findings.push(format!("{at}: {parameters} parameters, the limit is {PARAMETERS}"));
        }
    }
}

impl<'ast> Visit<'ast> for Measure<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.function(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if let (true, Some((braces, _))) = (module.ident == "tests", &module.content) {
            let first = module.ident.span().start().line;
            let lines = braces.span.close().end().line - first + 1;
            if lines > INLINE_TEST_LINES {
                self.findings.push(format!(
                    "{}:{first}: {lines} lines of tests beside the code, the limit is {INLINE_TEST_LINES}",
                    self.file.display()
                ));
            }
        }
        visit::visit_item_mod(self, module);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::measure;

    #[test]
    fn long_files_functions_and_parameter_lists_are_found() {
        let body = "let _ = 1;\n".repeat(598);
        let text =
            format!("struct S;\nimpl S {{\nfn long(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) {{\n{body}}}\n}}");
        assert_eq!(
            measure(Path::new("a.rs"), &text),
            [
                "a.rs: 603 lines, the limit is 600",
                "a.rs:3: fn long: 600 lines, the limit is 80",
                "a.rs:3: fn long: 7 parameters, the limit is 6",
            ]
        );
    }

    #[test]
    fn what_keeps_to_the_limits_is_not_told() {
        let body = "let _ = 1;\n".repeat(78);
        let text = format!("fn well(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {{\n{body}}}\nmod tests {{}}");
        assert_eq!(measure(Path::new("a.rs"), &text), Vec::<String>::new());
    }
}
