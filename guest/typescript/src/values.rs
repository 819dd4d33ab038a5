//! What is left of a declaration when the types are gone: something or nothing.
use oxc_ast::ast::{Declaration, Statement, TSNamespaceDeclaration, TSNamespaceDeclarationBody};

/// Whether running it would do anything.
fn is_value(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::TSTypeAliasDeclaration(_)
        | Statement::TSInterfaceDeclaration(_)
        | Statement::TSExternalModuleDeclaration(_)
        | Statement::TSGlobalDeclaration(_)
        | Statement::TSNamespaceExportDeclaration(_) => false,
        Statement::TSNamespaceDeclaration(it) => namespace_is_value(it),
        Statement::VariableDeclaration(it) => !it.declare,
        Statement::FunctionDeclaration(it) => it.body.is_some(),
        Statement::ClassDeclaration(it) => !it.declare,
        Statement::TSEnumDeclaration(it) => !it.declare,
        Statement::ExportDeclaration(it) => is_value_declaration(&it.declaration),
        _ => true,
    }
}

pub fn is_value_declaration(declaration: &Declaration<'_>) -> bool {
    match declaration {
        Declaration::VariableDeclaration(it) => !it.declare,
        Declaration::FunctionDeclaration(it) => it.body.is_some(),
        Declaration::ClassDeclaration(it) => !it.declare,
        Declaration::TSEnumDeclaration(it) => !it.declare,
        Declaration::TSNamespaceDeclaration(it) => namespace_is_value(it),
        Declaration::TSImportEqualsDeclaration(_) => true,
        _ => false,
    }
}

pub fn namespace_is_value(it: &TSNamespaceDeclaration<'_>) -> bool {
    !it.declare
        && match &it.body {
            TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => namespace_is_value(inner),
            TSNamespaceDeclarationBody::TSModuleBlock(block) => block.body.iter().any(is_value),
        }
}
