//! TypeScript in, JavaScript or declarations out. Types are blanked, so that what stays keeps its line and column; only what
//! has no counterpart in JavaScript is rewritten, on the lines where it stands.
mod abi;
mod edits;
mod enums;
mod erase;
mod layout;
mod values;

use oxc_allocator::Allocator;
use oxc_ast::ast::Statement;
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_diagnostics::{Diagnostics, OxcDiagnostic};
use oxc_isolated_declarations::{IsolatedDeclarations, IsolatedDeclarationsOptions};
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use oxc_transformer::{TransformOptions, Transformer};

/// JavaScript, and whether the source is an ES module: it imports or exports, be it types alone.
#[derive(Debug, PartialEq, Eq)]
pub struct Stripped {
    pub javascript: String,
    pub module: bool,
}

/// Where a source is no TypeScript, and why. Both numbers from 1; columns count characters.
#[derive(Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub message: String,
    pub line: u32,
    pub column: u32,
}

/// The JavaScript of a TypeScript source. `module`: it is one whatever it looks like.
pub fn strip(source: &str, module: bool) -> Result<Stripped, SyntaxError> {
    let allocator = Allocator::default();
    let source_type = if module { SourceType::ts() } else { SourceType::unambiguous().with_typescript(true) };
    let parsed = Parser::new(&allocator, source, source_type).parse();
    check(source, &parsed.diagnostics)?;
    // The parser counts an await as well; a script may have that.
    let speaks = |statement: &Statement<'_>| statement.as_module_declaration().is_some();
    let module = module || parsed.program.body.iter().any(speaks) || !parsed.module_record.import_metas.is_empty();
    match erase::erase(source, &parsed.program) {
        Ok(Some(javascript)) => Ok(Stripped { javascript, module }),
        Ok(None) => Ok(Stripped { javascript: lower(source)?, module }),
        Err((at, message)) => Err(error_at(source, at, message.to_owned())),
    }
}

/// The same for a line of a REPL: none when it is JavaScript as it stands.
pub fn strip_line(source: &str) -> Option<Result<Stripped, SyntaxError>> {
    let allocator = Allocator::default();
    let javascript = SourceType::unambiguous();
    if Parser::new(&allocator, source, javascript).parse().diagnostics.is_empty() {
        return None;
    }
    Some(strip(source, false))
}

/// The declarations of a module whose exports have explicit types.
pub fn declarations(source: &str) -> Result<String, SyntaxError> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::ts()).parse();
    check(source, &parsed.diagnostics)?;
    let options = IsolatedDeclarationsOptions::default();
    let declared = IsolatedDeclarations::new(&allocator, options).build(&parsed.program);
    check(source, &declared.diagnostics)?;
    Ok(Codegen::new().build(&declared.program).code)
}

/// By way of a printer, for what can't be rewritten where it stands. Statements keep their lines, not their columns.
fn lower(source: &str) -> Result<String, SyntaxError> {
    let allocator = Allocator::default();
    let mut program = Parser::new(&allocator, source, SourceType::ts()).parse().program;
    let analysed = SemanticBuilder::new().with_check_syntax_error(true).with_enum_eval(true).build(&program);
    check(source, &analysed.diagnostics)?;
    let scoping = analysed.semantic.into_scoping();
    let name = std::path::Path::new("source.ts");
    let options = TransformOptions::default();
    let transformed = Transformer::new(&allocator, name, &options).build_with_scoping(scoping, &mut program);
    check(source, &transformed.diagnostics)?;
    let options = CodegenOptions {
        comments: CommentOptions::disabled(),
        source_map_path: Some(name.to_owned()),
        ..CodegenOptions::default()
    };
    let printed = Codegen::new().with_options(options).build(&program);
    Ok(match printed.map {
        Some(map) => layout::on_its_lines(&printed.code, &map),
        None => printed.code,
    })
}

fn check(source: &str, diagnostics: &Diagnostics) -> Result<(), SyntaxError> {
    diagnostics.iter().next().map_or(Ok(()), |first| Err(error_of(source, first)))
}

fn error_of(source: &str, diagnostic: &OxcDiagnostic) -> SyntaxError {
    let at = diagnostic.labels.iter().next().map_or(0, |label| label.offset() as usize);
    error_at(source, at, diagnostic.message.to_string())
}

fn error_at(source: &str, at: usize, message: String) -> SyntaxError {
    let before = source.get(..at).unwrap_or(source);
    let (lines, rest) =
        before.rsplit_once('\n').map_or((0, before), |(lines, rest)| (lines.matches('\n').count() + 1, rest));
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
    SyntaxError { message, line: number(lines), column: number(rest.chars().count()) }
}
