//! A component as the linker made it, taken apart.
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use wasm_encoder::{ComponentSectionId, MemoryType};
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentTypeRef, ExternalKind,
    Operator, Parser, Payload, TypeRef,
};
use wasmtime::{bail, format_err};

use super::Answer;

/// What a module instance defines: the instance, and its index in the index space of the instance's module.
pub(super) type Own = (u32, u32);

/// What a name leads to in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Own(Own),
    /// Which of [`Linked::lowered`].
    Lowered(u32),
}

/// A function that the component exports.
pub(super) struct Lifted {
    pub(super) function: u32,
    pub(super) ty: u32,
    pub(super) options: Box<[CanonicalOption]>,
}

impl Lifted {
    /// Itself, and those that its options name.
    pub(super) fn functions(&self) -> impl Iterator<Item = u32> {
        let named = self.options.iter().filter_map(|option| match option {
            CanonicalOption::Realloc(function) | CanonicalOption::PostReturn(function) => Some(*function),
            _ => None,
        });
        named.chain([self.function])
    }
}

/// What a component is put together from again, in order.
pub(super) enum Piece<'a> {
    /// As it is: id and contents.
    Section(u8, Range<usize>),
    Component(Range<usize>),
    /// A type that an imported instance has from another one: the instance, and the type's name.
    Type(u32, &'a str),
    /// Where all that has to do with the core goes.
    Modules,
    /// The next of [`Linked::lifted`].
    Lifted,
}

enum Instance<'a> {
    Of { module: usize, arguments: HashMap<&'a str, u32> },
    Exports(HashMap<&'a str, (ExternalKind, u32)>),
}

enum Named<'a> {
    Export(u32, &'a str),
    Lowered(u32),
}

#[derive(Default)]
pub(super) struct Linked<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) pieces: Vec<Piece<'a>>,
    pub(super) modules: Vec<Core<'a>>,
    instances: Vec<Instance<'a>>,
    /// The core's index spaces: what each index leads to.
    named: [Vec<Named<'a>>; 4],
    /// Functions of imported instances, instance and name: with them the component's index space of functions begins.
    pub(super) imports: Vec<(u32, &'a str)>,
    /// Which of them are lowered, and how: each once, whoever calls it.
    pub(super) lowered: Vec<(u32, Box<[CanonicalOption]>)>,
    pub(super) lifted: Vec<Lifted>,
    /// What stands in for functions that are not lowered yet, and what it is told of them in the end.
    shim: Option<u32>,
    fixup: Option<u32>,
}

/// How the linker calls the table of what stands in for imports.
const SHIM: &str = "$imports";

impl<'a> Linked<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Answer<Linked<'a>> {
        let mut linked = Linked { bytes, ..Linked::default() };
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match &payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) if depth > 0 => {
                    depth -= 1;
                    continue;
                }
                _ => {}
            }
            match payload {
                Payload::ModuleSection { unchecked_range, .. } if depth == 1 => {
                    if linked.modules.is_empty() {
                        linked.pieces.push(Piece::Modules);
                    }
                    let module =
                        bytes.get(unchecked_range).ok_or_else(|| format_err!("the component ends in a module"))?;
                    linked.modules.push(Core::parse(module)?);
                }
                Payload::ComponentSection { unchecked_range, .. } if depth == 1 => {
                    linked.pieces.push(Piece::Component(unchecked_range));
                }
                _ if depth > 0 => {}
                Payload::ComponentImportSection(imports) => {
                    let (id, range) = (ComponentSectionId::Import.into(), imports.range());
                    for import in imports {
                        // Any other would have a number in an index space that is written anew.
                        let instance = matches!(import?.ty, ComponentTypeRef::Instance(_));
                        wasmtime::ensure!(instance, "the component imports more than interfaces");
                    }
                    linked.pieces.push(Piece::Section(id, range));
                }
                Payload::InstanceSection(instances) => {
                    for instance in instances {
                        linked.instance(instance?);
                    }
                }
                Payload::ComponentAliasSection(aliases) => {
                    for alias in aliases {
                        linked.alias(alias?)?;
                    }
                }
                Payload::ComponentCanonicalSection(functions) => {
                    for function in functions {
                        linked.canonical(function?)?;
                    }
                }
                // Names, which are none of what comes out.
                Payload::CustomSection(_) | Payload::Version { .. } | Payload::End(_) => {}
                other => match other.as_section() {
                    Some((id, range)) => linked.pieces.push(Piece::Section(id, range)),
                    None => bail!("the component has an unexpected {other:?}"),
                },
            }
        }
        Ok(linked)
    }

    fn instance(&mut self, instance: wasmparser::Instance<'a>) {
        let number = self.instances.len() as u32;
        self.instances.push(match instance {
            wasmparser::Instance::Instantiate { module_index, args } => {
                if self.modules[module_index as usize].exports.contains_key(SHIM) {
                    self.shim = Some(number);
                }
                let arguments = args.iter().map(|argument| (argument.name, argument.index)).collect();
                Instance::Of { module: module_index as usize, arguments }
            }
            wasmparser::Instance::FromExports(exports) => {
                if exports.iter().any(|export| export.name == SHIM) {
                    self.fixup = Some(number);
                }
                Instance::Exports(exports.iter().map(|export| (export.name, (export.kind, export.index))).collect())
            }
        });
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Answer<()> {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                self.named[space(kind)?].push(Named::Export(instance_index, name));
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Func, instance_index, name } => {
                // They are named before what is lifted, or the numbers of that would change.
                wasmtime::ensure!(self.lifted.is_empty(), "imports are named after exports");
                self.imports.push((instance_index, name));
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Type, instance_index, name } => {
                self.pieces.push(Piece::Type(instance_index, name));
            }
            other => bail!("the component has an unexpected {other:?}"),
        }
        Ok(())
    }

    fn canonical(&mut self, function: CanonicalFunction) -> Answer<()> {
        match function {
            CanonicalFunction::Lower { func_index, options } => {
                let import = |function: u32| self.imports.get(function as usize);
                wasmtime::ensure!(import(func_index).is_some(), "a function is lowered that is not imported");
                let same = |(other, how): &(u32, _)| import(*other) == import(func_index) && *how == options;
                let number = self.lowered.iter().position(same).unwrap_or(self.lowered.len());
                if number == self.lowered.len() {
                    self.lowered.push((func_index, options));
                }
                self.named[FUNCTIONS].push(Named::Lowered(number as u32));
            }
            CanonicalFunction::Lift { core_func_index, type_index, options } => {
                self.lifted.push(Lifted { function: core_func_index, ty: type_index, options });
                self.pieces.push(Piece::Lifted);
            }
            other => bail!("the component has an unexpected {other:?}"),
        }
        Ok(())
    }

    /// The library that calls imports, and is called by who is lifted.
    pub(super) fn bindings(&self) -> Answer<u32> {
        let names =
            |core: &Core<'_>| core.imports[FUNCTIONS].iter().any(|import| import.name == "wit_dylib_initialize");
        let found = self.instances().find(|(_, core)| names(core));
        Ok(found.ok_or_else(|| format_err!("there are no bindings"))?.0)
    }

    /// The module instances in order, without what stands in for imports.
    pub(super) fn instances(&self) -> impl Iterator<Item = (u32, &Core<'a>)> {
        self.instances.iter().zip(0..).filter_map(|(instance, number)| match instance {
            Instance::Of { module, arguments } => {
                let fixup = self.fixup.is_some_and(|fixup| arguments.values().any(|argument| *argument == fixup));
                (Some(number) != self.shim && !fixup).then(|| (number, &self.modules[*module]))
            }
            Instance::Exports(_) => None,
        })
    }

    pub(super) fn module(&self, instance: u32) -> Answer<&Core<'a>> {
        match &self.instances[instance as usize] {
            Instance::Of { module, .. } => Ok(&self.modules[*module]),
            Instance::Exports(_) => bail!("instance {instance} has no module"),
        }
    }

    /// What an index of the core's index spaces means.
    pub(super) fn at(&self, space: usize, index: u32) -> Answer<Item> {
        match self.named[space].get(index as usize) {
            Some(Named::Export(instance, name)) => self.export(*instance, name),
            Some(Named::Lowered(number)) => Ok(Item::Lowered(*number)),
            None => bail!("index space {space} has no {index}"),
        }
    }

    /// What an index of the index spaces of an instance's module means.
    pub(super) fn item(&self, instance: u32, space: usize, index: u32) -> Answer<Item> {
        let Instance::Of { module, arguments } = &self.instances[instance as usize] else {
            bail!("instance {instance} has no module")
        };
        let Some(import) = self.modules[*module].imports[space].get(index as usize) else {
            return Ok(Item::Own((instance, index)));
        };
        let from = arguments.get(import.module).ok_or_else(|| format_err!("nothing is given for {}", import.module))?;
        self.export(*from, import.name)
    }

    fn export(&self, instance: u32, name: &str) -> Answer<Item> {
        if Some(instance) == self.shim
            && let Some(fixup) = self.fixup
        {
            return self.export(fixup, name);
        }
        let none = || format_err!("instance {instance} exports no {name}");
        match &self.instances[instance as usize] {
            Instance::Of { module, .. } => {
                let (kind, index) = *self.modules[*module].exports.get(name).ok_or_else(none)?;
                self.item(instance, space(kind)?, index)
            }
            Instance::Exports(exports) => {
                let (kind, index) = *exports.get(name).ok_or_else(none)?;
                self.at(space(kind)?, index)
            }
        }
    }

    /// The guest's allocator, which lowered functions ask for memory.
    pub(super) fn realloc(&self) -> Answer<Item> {
        let mut found = None;
        for option in self.lowered.iter().flat_map(|(_, options)| options) {
            if let CanonicalOption::Realloc(function) = option {
                let item = self.at(FUNCTIONS, *function)?;
                wasmtime::ensure!(found.is_none_or(|found| found == item), "there are several allocators");
                found = Some(item);
            }
        }
        found.ok_or_else(|| format_err!("there is no allocator"))
    }

    pub(super) fn memory(&self) -> Answer<MemoryType> {
        let mut memories = self.instances().filter_map(|(_, module)| module.memory);
        match (memories.next(), memories.next()) {
            (Some(memory), None) => Ok(memory.into()),
            _ => bail!("there is not one memory"),
        }
    }
}

/// The index spaces that there are.
pub(super) const FUNCTIONS: usize = 0;
const TABLES: usize = 1;
const MEMORIES: usize = 2;
pub(super) const GLOBALS: usize = 3;

fn space(kind: ExternalKind) -> Answer<usize> {
    match kind {
        ExternalKind::Func => Ok(FUNCTIONS),
        ExternalKind::Table => Ok(TABLES),
        ExternalKind::Memory => Ok(MEMORIES),
        ExternalKind::Global => Ok(GLOBALS),
        other => bail!("there is a {other:?}"),
    }
}

/// A core module.
#[derive(Default)]
pub(super) struct Core<'a> {
    pub(super) types: Vec<wasmparser::RecGroup>,
    /// By index space.
    pub(super) imports: [Vec<wasmparser::Import<'a>>; 4],
    /// Types of its own functions.
    pub(super) functions: Vec<u32>,
    /// Imported or not.
    pub(super) tables: usize,
    pub(super) globals: Vec<wasmparser::Global<'a>>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<wasmparser::Element<'a>>,
    pub(super) data: Vec<wasmparser::Data<'a>>,
    pub(super) bodies: Vec<wasmparser::FunctionBody<'a>>,
    memory: Option<wasmparser::MemoryType>,
    exports: HashMap<&'a str, (ExternalKind, u32)>,
}

impl<'a> Core<'a> {
    fn parse(bytes: &'a [u8]) -> Answer<Core<'a>> {
        let mut core = Core::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(types) => core.types = types.into_iter().collect::<Result<_, _>>()?,
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        core.imports[space(kind_of(import.ty)?)?].push(import);
                    }
                }
                Payload::FunctionSection(types) => core.functions = types.into_iter().collect::<Result<_, _>>()?,
                Payload::MemorySection(memories) => core.memory = memories.into_iter().next().transpose()?,
                Payload::GlobalSection(globals) => core.globals = globals.into_iter().collect::<Result<_, _>>()?,
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        core.exports.insert(export.name, (export.kind, export.index));
                    }
                }
                Payload::TableSection(section) => core.tables += section.count() as usize,
                Payload::StartSection { func, .. } => core.start = Some(func),
                Payload::ElementSection(elements) => core.elements = elements.into_iter().collect::<Result<_, _>>()?,
                Payload::DataSection(data) => core.data = data.into_iter().collect::<Result<_, _>>()?,
                Payload::CodeSectionEntry(body) => core.bodies.push(body),
                Payload::Version { .. }
                | Payload::CodeSectionStart { .. }
                | Payload::DataCountSection { .. }
                | Payload::CustomSection(_)
                | Payload::End(_) => {}
                other => bail!("a library has an unexpected {other:?}"),
            }
        }
        core.tables += core.imports[TABLES].len();
        Ok(core)
    }

    pub(super) fn count_types(&self) -> u32 {
        self.types.iter().map(|group| group.types().len() as u32).sum()
    }

    /// The type of a function, imported or not.
    pub(super) fn type_of(&self, function: u32) -> Answer<u32> {
        let imports = &self.imports[FUNCTIONS];
        match imports.get(function as usize).map(|import| import.ty) {
            Some(TypeRef::Func(ty)) => Ok(ty),
            Some(other) => bail!("a function is imported as {other:?}"),
            None => {
                self.functions.get(function as usize - imports.len()).copied().ok_or_else(|| format_err!("no type"))
            }
        }
    }

    /// Whether a function has the type of those that call an import: it gets what has the arguments.
    pub(super) fn is_binding(&self, function: u32) -> Answer<bool> {
        let ty = self.type_of(function)? as usize;
        let ty =
            self.types.iter().flat_map(wasmparser::RecGroup::types).nth(ty).ok_or_else(|| format_err!("no type"))?;
        let ty = ty.unwrap_func();
        Ok(ty.params() == [wasmparser::ValType::I32] && ty.results().is_empty())
    }

    /// Imported functions that are called, or whose address is taken, by number.
    pub(super) fn called(&self) -> Answer<BTreeSet<u32>> {
        let mut called: BTreeSet<u32> = self.start.into_iter().collect();
        for body in &self.bodies {
            for operator in body.get_operators_reader()? {
                match operator? {
                    Operator::Call { function_index }
                    | Operator::ReturnCall { function_index }
                    | Operator::RefFunc { function_index } => called.insert(function_index),
                    _ => false,
                };
            }
        }
        for element in &self.elements {
            called.extend(addresses(element)?);
        }
        Ok(called.range(..self.imports[FUNCTIONS].len() as u32).copied().collect())
    }
}

/// The functions of a table's segment.
pub(super) fn addresses(element: &wasmparser::Element<'_>) -> Answer<Vec<u32>> {
    match &element.items {
        wasmparser::ElementItems::Functions(functions) => {
            Ok(functions.clone().into_iter().collect::<Result<_, _>>()?)
        }
        wasmparser::ElementItems::Expressions(..) => bail!("a table's segment has expressions"),
    }
}

fn kind_of(ty: TypeRef) -> Answer<ExternalKind> {
    Ok(match ty {
        TypeRef::Func(_) => ExternalKind::Func,
        TypeRef::Table(_) => ExternalKind::Table,
        TypeRef::Memory(_) => ExternalKind::Memory,
        TypeRef::Global(_) => ExternalKind::Global,
        other => bail!("{other:?} is imported"),
    })
}

/// The number that an expression is, or None. A sum is none.
pub(super) fn literal(
    expression: &wasmparser::ConstExpr<'_>,
    known: impl Fn(u32) -> Option<i32>,
) -> Answer<Option<i32>> {
    let mut operators = expression.get_operators_reader();
    let value = match operators.read()? {
        Operator::I32Const { value } => Some(value),
        Operator::GlobalGet { global_index } => known(global_index),
        _ => None,
    };
    Ok(value.filter(|_| operators.is_end_then_eof()))
}
