//! Brings printed statements back to the lines of their source.
use oxc_allocator::Allocator;
use oxc_ast::ast::{StringLiteral, TemplateElement};
use oxc_ast_visit::Visit;
use oxc_parser::Parser;
use oxc_span::SourceType;

/// What spans lines in itself.
#[derive(Default)]
struct Texts(Vec<(u32, u32)>);

impl<'a> Visit<'a> for Texts {
    fn visit_template_element(&mut self, it: &TemplateElement<'a>) {
        self.0.push((it.span.start, it.span.end));
    }

    fn visit_string_literal(&mut self, it: &StringLiteral<'a>) {
        self.0.push((it.span.start, it.span.end));
    }
}

/// The same program, where every printed line begins on the line that it came from, if nothing before it is in the way. The
/// printer ends statements with semicolons and breaks lines only where a space would do.
pub fn on_its_lines(printed: &str, map: &oxc_sourcemap::SourceMap<'_>) -> String {
    let allocator = Allocator::default();
    let program = Parser::new(&allocator, printed, SourceType::mjs()).parse().program;
    let mut texts = Texts::default();
    texts.visit_program(&program);
    texts.0.sort_unstable();
    let mut sources = vec![None; printed.matches('\n').count() + 1];
    for token in map.get_tokens() {
        if let Some(source) = sources.get_mut(token.get_dst_line() as usize) {
            source.get_or_insert(token.get_src_line());
        }
    }
    let mut out = String::with_capacity(printed.len());
    let (mut at, mut line) = (0, 0);
    for (index, text) in printed.split('\n').enumerate() {
        if index > 0 {
            let place = at as u32 - 1;
            let inside = texts.0.partition_point(|(start, _)| *start <= place);
            if inside.checked_sub(1).is_some_and(|found| texts.0[found].1 > place) {
                out.push('\n');
                line += 1;
            } else {
                match sources.get(index).copied().flatten() {
                    Some(source) if source > line => {
                        out.extend(std::iter::repeat_n('\n', (source - line) as usize));
                        line = source;
                    }
                    _ => out.push(' '),
                }
            }
        } else if let Some(Some(source)) = sources.first() {
            out.extend(std::iter::repeat_n('\n', *source as usize));
            line = *source;
        }
        out.push_str(text);
        at += text.len() + 1;
    }
    out
}
