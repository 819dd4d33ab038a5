//! Types to blanks. What is left stands where it stood; `class`, `enum` and parameter properties get what they need on their
//! own lines. Namespaces with values are left to the printer.
//!
//! Where a blank would let two lines run into one, or part what must stay on one line, a semicolon or parenthesis takes its
//! place; ts-blank-space has made the list of those places.
use std::collections::BTreeSet;

use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use crate::edits::Edits;
use crate::enums;
use crate::values::{is_value_declaration, namespace_is_value};

/// Words of members and parameters that are about types alone.
const MODIFIERS: [&str; 7] = ["public", "private", "protected", "readonly", "override", "abstract", "declare"];

struct Eraser<'a> {
    edits: Edits<'a>,
    /// Of modules: which names are values.
    scoping: Option<Scoping>,
    /// Names of members of the enum whose initializers are being read, and its own name.
    enums: Vec<(BTreeSet<&'a str>, &'a str)>,
    needs_lowering: bool,
    error: Option<(usize, &'static str)>,
}

/// None: something is there that can't be written where it stands.
pub fn erase<'a>(source: &'a str, program: &Program<'a>) -> Result<Option<String>, (usize, &'static str)> {
    let imports = program.body.iter().any(|statement| {
        matches!(
            statement,
            Statement::ImportDeclaration(_)
                | Statement::ExportNamedDeclaration(_)
                | Statement::TSImportEqualsDeclaration(_)
        ) || matches!(statement, Statement::ExportDefaultDeclaration(it)
            if matches!(it.declaration, ExportDefaultDeclarationKind::Identifier(_)))
    });
    let scoping = imports.then(|| SemanticBuilder::new().build(program).semantic.into_scoping());
    let edits = Edits::new(source);
    let mut eraser = Eraser { edits, scoping, enums: Vec::new(), needs_lowering: false, error: None };
    eraser.visit_program(program);
    match eraser.error {
        Some(error) => Err(error),
        None => Ok((!eraser.needs_lowering).then(|| eraser.edits.apply())),
    }
}

impl<'a> Eraser<'a> {
    fn blank(&mut self, span: Span) {
        self.edits.blank(span.start, span.end);
    }

    fn blank_statement(&mut self, span: Span) {
        self.edits.blank_statement(span.start, span.end);
    }

    fn refuse(&mut self, span: Span, why: &'static str) {
        self.error.get_or_insert((span.start as usize, why));
    }

    /// `as T` or `satisfies T`, behind `expression`.
    fn assertion(&mut self, it: Span, expression: &Expression<'a>) {
        let end = expression.span().end;
        // On the next line these began a statement, for a type can't go on with them. An expression can.
        let (next, at) = self.edits.next(it.end);
        if matches!(next, b'(' | b'[' | b'`') && self.edits.has_line_end(it.end, at) {
            let word = self.edits.skip(end);
            self.edits.replace(word, word + 1, ";");
            self.edits.blank(word + 1, it.end);
        } else {
            self.edits.blank(end, it.end);
        }
        self.visit_expression(expression);
    }

    /// Blanks the modifiers between the start of a member and its name.
    fn modifiers(&mut self, it: Span, key: &PropertyKey<'a>, computed: bool) {
        let mut first = it.start;
        for (word, at) in self.edits.words(it.start, key.span().start) {
            if MODIFIERS.contains(&word) {
                let end = at + word.len() as u32;
                self.edits.blank(at, end);
                if at == first {
                    first = self.edits.skip(end);
                }
            }
        }
        // A field before it without a semicolon would take these for its own.
        if first > it.start && (computed || matches!(self.edits.next(first).0, b'[' | b'*')) {
            self.edits.replace(it.start, it.start + 1, ";");
        }
    }

    /// Behind a member's name and its bracket.
    fn key_end(&self, key: &PropertyKey<'a>, computed: bool) -> u32 {
        let end = key.span().end;
        if !computed {
            return end;
        }
        match self.edits.next(end) {
            (b']', at) => at + 1,
            _ => end,
        }
    }

    fn is_used(&self, id: &BindingIdentifier<'a>) -> bool {
        let (Some(scoping), Some(symbol)) = (&self.scoping, id.symbol_id.get()) else { return true };
        scoping.get_resolved_references(symbol).any(|reference| reference.is_value())
    }

    /// Whether a name that is exported names a type alone.
    fn names_type(&self, id: &IdentifierReference<'a>) -> bool {
        let Some(scoping) = &self.scoping else { return false };
        let Some(reference) = id.reference_id.get() else { return false };
        let Some(symbol) = scoping.get_reference(reference).symbol_id() else { return false };
        let flags = scoping.symbol_flags(symbol);
        flags.is_type_import() || (flags.is_type() && !flags.is_value())
    }

    /// Blanks one of a list, and the comma behind it.
    fn blank_item(&mut self, span: Span) {
        self.blank(span);
        self.edits.blank_next(span.end, b',');
    }

    fn export_specifiers(&mut self, specifiers: &[ExportSpecifier<'a>], local: bool) {
        for it in specifiers {
            let names_type = match &it.local {
                ModuleExportName::IdentifierReference(id) if local => self.names_type(id),
                _ => false,
            };
            if names_type || it.export_kind == ImportOrExportKind::Type {
                self.blank_item(it.span);
            }
        }
    }

    /// Assigns parameter properties: behind `super()` or where the body begins.
    fn parameter_properties(&mut self, function: &Function<'a>) {
        let mut assignments = String::new();
        for parameter in &function.params.items {
            if parameter.accessibility.is_none() && !parameter.readonly && !parameter.r#override {
                continue;
            }
            let pattern = parameter.pattern.span();
            for (word, at) in self.edits.words(parameter.span.start, pattern.start) {
                self.edits.blank(at, at + word.len() as u32);
            }
            match &parameter.pattern {
                BindingPattern::BindingIdentifier(id) => assignments.push_str(&format!("this.{0}={0};", id.name)),
                _ => self.refuse(parameter.span, "A parameter property must be a plain name"),
            }
        }
        let Some(body) = &function.body else { return };
        if assignments.is_empty() {
            return;
        }
        let calls_super = |statement: &&Statement<'a>| {
            matches!(statement, Statement::ExpressionStatement(it)
                if matches!(&it.expression, Expression::CallExpression(call) if call.callee.is_super()))
        };
        let directive = body.directives.last().map_or(body.span.start + 1, |directive| directive.span.end);
        let at = body.statements.iter().find(calls_super).map_or(directive, |statement| statement.span().end);
        self.edits.insert(at, format!(";{assignments}"));
    }
}

impl<'a> Visit<'a> for Eraser<'a> {
    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.blank(it.span);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.blank(it.span);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.blank(it.span);
    }

    fn visit_ts_this_parameter(&mut self, it: &TSThisParameter<'a>) {
        self.blank_item(it.span);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.assertion(it.span, &it.expression);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.assertion(it.span, &it.expression);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.edits.blank(it.expression.span().end, it.span.end);
        self.visit_expression(&it.expression);
    }

    /// `<T>x` to `(x)`: an object would be a block, and a type on many lines would part `return` from its value.
    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        self.edits.replace(it.span.start, it.span.start + 1, "(");
        self.edits.blank(it.span.start + 1, it.expression.span().start);
        self.visit_expression(&it.expression);
        self.edits.insert(it.span.end, ")");
    }

    fn visit_decorator(&mut self, it: &Decorator<'a>) {
        self.refuse(it.span, "Decorators are not supported");
    }

    fn visit_ts_type_alias_declaration(&mut self, it: &TSTypeAliasDeclaration<'a>) {
        self.blank_statement(it.span);
    }

    fn visit_ts_interface_declaration(&mut self, it: &TSInterfaceDeclaration<'a>) {
        self.blank_statement(it.span);
    }

    fn visit_ts_external_module_declaration(&mut self, it: &TSExternalModuleDeclaration<'a>) {
        self.blank_statement(it.span);
    }

    fn visit_ts_global_declaration(&mut self, it: &TSGlobalDeclaration<'a>) {
        self.blank_statement(it.span);
    }

    fn visit_ts_namespace_export_declaration(&mut self, it: &TSNamespaceExportDeclaration<'a>) {
        self.blank_statement(it.span);
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.refuse(it.span, "`export =` is not supported: write `export default`");
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        if namespace_is_value(it) {
            self.needs_lowering = true;
            walk::walk_ts_namespace_declaration(self, it);
        } else {
            self.blank_statement(it.span);
        }
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        if it.import_kind == ImportOrExportKind::Type || !self.is_used(&it.id) {
            self.blank_statement(it.span);
        } else {
            self.edits.replace(it.span.start, it.id.span.start, "const ");
        }
    }

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        if it.declare {
            return self.blank_statement(it.span);
        }
        let members = enums::rewrite(&mut self.edits, it);
        self.enums.push((members, it.id.name.as_str()));
        for value in it.body.members.iter().filter_map(|member| member.initializer.as_ref()) {
            self.visit_expression(value);
        }
        self.enums.pop();
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        if let Some((_, name)) = self.enums.last().filter(|(members, _)| members.contains(it.name.as_str())) {
            self.edits.insert(it.span.start, format!("{name}."));
        }
    }

    fn visit_variable_declaration(&mut self, it: &VariableDeclaration<'a>) {
        if it.declare {
            return self.blank_statement(it.span);
        }
        walk::walk_variable_declaration(self, it);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if it.definite {
            self.edits.blank_next(it.id.span().end, b'!');
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        if it.body.is_none() {
            return self.blank_statement(it.span);
        }
        walk::walk_function(self, it, flags);
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        if it.optional {
            self.edits.blank_next(it.pattern.span().end, b'?');
        }
        walk::walk_formal_parameter(self, it);
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        let opens = it.params.span.start;
        if let Some(types) = &it.type_parameters {
            // Neither may `async` or `return` be parted from what follows.
            if self.edits.has_line_end(types.span.start, opens) {
                self.edits.replace(types.span.start, types.span.start + 1, "(");
                self.edits.blank(types.span.start + 1, opens + 1);
            } else {
                self.blank(types.span);
            }
        }
        self.visit_formal_parameters(&it.params);
        if let Some(result) = &it.return_type {
            let (start, end) = (it.params.span.end - 1, result.span.end);
            if self.edits.has_line_end(start, end) {
                // An arrow must stand on the line of its parenthesis.
                let last = self.edits.text(start, end).chars().next_back().map_or(1, char::len_utf8) as u32;
                self.edits.blank(start, start + 1);
                self.edits.blank(result.span.start, end - last);
                self.edits.replace(end - last, end, ")");
            } else {
                self.blank(result.span);
            }
        }
        self.visit_arrow_function_body(&it.body);
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        if it.declare {
            return self.blank_statement(it.span);
        }
        if it.r#abstract
            && let Some((_, at)) =
                self.edits.words(it.span.start, it.body.span.start).first().filter(|w| w.0 == "abstract")
        {
            self.edits.blank(*at, at + 8);
        }
        if let Some(last) = it.implements.last() {
            let name = it.id.as_ref().map(|id| id.span.end);
            let types = it.type_parameters.as_ref().map(|types| types.span.end);
            let heritage = it.heritage.as_ref().map(|heritage| {
                heritage.type_arguments.as_ref().map_or(heritage.expression.span().end, |types| types.span.end)
            });
            let from = heritage.or(types).or(name).unwrap_or(it.span.start);
            let word = self.edits.words(from, last.span.start).into_iter().find(|(word, _)| *word == "implements");
            if let Some((_, at)) = word {
                self.edits.blank(at, last.span.end);
            }
        }
        self.visit_decorators(&it.decorators);
        if let Some(types) = &it.type_parameters {
            self.visit_ts_type_parameter_declaration(types);
        }
        if let Some(heritage) = &it.heritage {
            self.visit_class_heritage(heritage);
        }
        self.visit_class_body(&it.body);
    }

    fn visit_ts_index_signature(&mut self, it: &TSIndexSignature<'a>) {
        self.blank_statement(it.span);
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.value.body.is_none() {
            return self.blank_statement(it.span);
        }
        self.modifiers(it.span, &it.key, it.computed);
        if it.optional {
            self.edits.blank_next(self.key_end(&it.key, it.computed), b'?');
        }
        if it.kind == MethodDefinitionKind::Constructor {
            self.parameter_properties(&it.value);
        }
        walk::walk_method_definition(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.declare || it.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition {
            return self.blank_statement(it.span);
        }
        self.modifiers(it.span, &it.key, it.computed);
        let end = self.key_end(&it.key, it.computed);
        let end = if it.optional { self.edits.blank_next(end, b'?') } else { end };
        if it.definite {
            self.edits.blank_next(end, b'!');
        }
        self.visit_decorators(&it.decorators);
        self.visit_property_key(&it.key);
        if let Some(annotation) = &it.type_annotation {
            let key = self.edits.text(it.key.span().start, it.key.span().end);
            // A bare name like these would begin the next member.
            if it.value.is_none() && matches!(key, "get" | "set" | "static" | "async" | "accessor") {
                self.blank_statement(annotation.span);
            } else {
                self.blank(annotation.span);
            }
        }
        if let Some(value) = &it.value {
            self.visit_expression(value);
        }
    }

    fn visit_accessor_property(&mut self, it: &AccessorProperty<'a>) {
        self.refuse(it.span, "`accessor` is not supported");
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        if it.import_kind == ImportOrExportKind::Type {
            return self.blank_statement(it.span);
        }
        let Some(specifiers) = it.specifiers.as_ref().filter(|all| !all.is_empty()) else { return };
        let kept = |it: &ImportDeclarationSpecifier<'a>| match it {
            ImportDeclarationSpecifier::ImportSpecifier(it) => {
                it.import_kind != ImportOrExportKind::Type && self.is_used(&it.local)
            }
            ImportDeclarationSpecifier::ImportDefaultSpecifier(it) => self.is_used(&it.local),
            ImportDeclarationSpecifier::ImportNamespaceSpecifier(it) => self.is_used(&it.local),
        };
        let kept: Vec<bool> = specifiers.iter().map(kept).collect();
        if !kept.contains(&true) {
            return self.blank_statement(it.span);
        }
        for (index, specifier) in specifiers.iter().enumerate().filter(|(index, _)| !kept[*index]) {
            let span = specifier.span();
            match specifier {
                // `import a, * as b`: the comma is before it.
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) if index > 0 => {
                    self.edits.blank(specifiers[0].span().end, span.end);
                }
                _ => self.blank_item(span),
            }
        }
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        let keep = match &it.declaration {
            Declaration::TSImportEqualsDeclaration(it) => it.import_kind != ImportOrExportKind::Type,
            declaration => is_value_declaration(declaration),
        };
        match &it.declaration {
            _ if !keep => self.blank_statement(it.span),
            Declaration::TSImportEqualsDeclaration(it) => self.edits.replace(it.span.start, it.id.span.start, "const "),
            _ => walk::walk_export_declaration(self, it),
        }
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            return self.blank_statement(it.span);
        }
        self.export_specifiers(&it.specifiers, true);
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            return self.blank_statement(it.span);
        }
        self.export_specifiers(&it.specifiers, false);
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            self.blank_statement(it.span);
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        let is_type = match &it.declaration {
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => true,
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => function.body.is_none(),
            ExportDefaultDeclarationKind::Identifier(id) => self.names_type(id),
            _ => false,
        };
        if is_type {
            return self.blank_statement(it.span);
        }
        walk::walk_export_default_declaration(self, it);
    }
}
