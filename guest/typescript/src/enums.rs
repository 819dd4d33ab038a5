//! Enums, rewritten where they stand: `enum E { A, B = 'b' }` is
//! `var E;(function(E){ E[E["A"]=0]="A"; E["B"]= 'b'; })(E||(E={}));`.
use std::collections::BTreeSet;

use oxc_ast::ast::{BinaryOperator, Expression, TSEnumDeclaration, TSEnumMember, TSEnumMemberName};
use oxc_span::GetSpan;

use crate::edits::Edits;

/// Edits of everything but the initializers' own insides. Answers the names that are members.
pub fn rewrite<'a>(edits: &mut Edits<'a>, it: &TSEnumDeclaration<'a>) -> BTreeSet<&'a str> {
    let name = it.id.name.as_str();
    let mut strings = BTreeSet::new();
    let mut members = BTreeSet::new();
    edits.replace(it.span.start, it.body.span.start + 1, format!("var {name};(function({name}){{"));
    let mut before: Option<String> = None;
    for member in &it.body.members {
        let key = key(edits, member);
        if let TSEnumMemberName::Identifier(id) = &member.id {
            members.insert(id.name.as_str());
        }
        let span = member.span;
        match &member.initializer {
            Some(value) if is_string(value, name, &strings) => {
                if let TSEnumMemberName::Identifier(id) = &member.id {
                    strings.insert(id.name.as_str());
                }
                edits.replace(span.start, value.span().start, format!("{name}[{key}]="));
                edits.insert(span.end, ";");
            }
            Some(value) => {
                edits.replace(span.start, value.span().start, format!("{name}[{name}[{key}]="));
                edits.insert(span.end, format!("]={key};"));
            }
            None => {
                let value = before.map_or("0".to_owned(), |before| format!("{name}[{before}]+1"));
                edits.replace(span.start, span.end, format!("{name}[{name}[{key}]={value}]={key};"));
            }
        }
        edits.blank_next(span.end, b',');
        before = Some(key);
    }
    let end = it.body.span.end;
    edits.replace(end - 1, end, format!("}})({name}||({name}={{}}));"));
    members
}

/// As a literal.
fn key(edits: &Edits<'_>, member: &TSEnumMember<'_>) -> String {
    match &member.id {
        TSEnumMemberName::Identifier(id) => format!("\"{}\"", id.name),
        TSEnumMemberName::String(text) | TSEnumMemberName::ComputedString(text) => {
            edits.text(text.span.start, text.span.end).to_owned()
        }
        TSEnumMemberName::ComputedTemplateString(text) => edits.text(text.span.start, text.span.end).to_owned(),
    }
}

/// As TypeScript tells it: such members have no way back from value to name.
fn is_string(value: &Expression<'_>, name: &str, strings: &BTreeSet<&str>) -> bool {
    match value {
        Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => true,
        Expression::Identifier(id) => strings.contains(id.name.as_str()),
        Expression::StaticMemberExpression(member) => {
            matches!(&member.object, Expression::Identifier(id) if id.name == name)
                && strings.contains(member.property.name.as_str())
        }
        Expression::ParenthesizedExpression(inner) => is_string(&inner.expression, name, strings),
        Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => {
            is_string(&sum.left, name, strings) || is_string(&sum.right, name, strings)
        }
        _ => false,
    }
}
