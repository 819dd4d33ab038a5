//! Several modules as one.
use std::collections::{BTreeSet, HashMap};

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, Module, RefType, StartSection,
    TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{ElementKind, Operator};
use wasmtime::{bail, ensure, format_err};

use super::linked::{Core, FUNCTIONS, GLOBALS, Item, Linked, Own, addresses, literal};
use super::{Answer, CALL, REALLOC, SLOTS, between};

/// Tables in both modules: the one between them is imported, and so the first.
const BETWEEN: u32 = 0;
const TABLE: u32 = 1;
/// The first types in both modules: of what calls an import, and of what does so by its number.
const IMPORT: u32 = 0;
const NUMBERED: u32 = 1;
const TYPES: u32 = 2;

/// What a module's numbers are in the new one.
struct Numbers {
    types: u32,
    /// None for what nobody calls.
    functions: Vec<Option<u32>>,
    globals: Vec<Global>,
}

#[derive(Clone, Copy)]
enum Global {
    /// It never changes, and is no global any more.
    Constant(i32),
    Variable(u32),
}

pub(super) struct Part<'l, 'a> {
    linked: &'l Linked<'a>,
    /// None for the engine itself.
    engine: Option<&'l Part<'l, 'a>>,
    modules: Vec<(&'l Core<'a>, Numbers)>,
    /// The functions that it imports, which come first, with their types.
    pub(super) imported: Vec<(Item, u32)>,
    pub(super) imported_globals: Vec<Own>,
    functions: HashMap<Own, u32>,
    globals: HashMap<Own, u32>,
}

impl<'l, 'a> Part<'l, 'a> {
    /// The bindings with what calls them when all is linked, or without an engine all the others.
    pub(super) fn new(linked: &'l Linked<'a>, engine: Option<&'l Part<'l, 'a>>) -> Answer<Part<'l, 'a>> {
        let bindings = linked.bindings()?;
        let mut mine: Vec<(u32, &Core<'a>)> = Vec::new();
        for (instance, core) in linked.instances() {
            ensure!(core.tables <= 1, "a library has several tables");
            let mut bound = instance == bindings;
            for function in core.called()? {
                bound |= matches!(linked.item(instance, FUNCTIONS, function)?, Item::Own((of, _)) if of == bindings);
            }
            if bound == engine.is_some() {
                mine.push((instance, core));
            }
        }
        let mut part = Part {
            linked,
            engine,
            modules: Vec::new(),
            imported: Vec::new(),
            imported_globals: Vec::new(),
            functions: HashMap::new(),
            globals: HashMap::new(),
        };
        let is_mine = |own: Own| mine.iter().any(|(instance, _)| *instance == own.0);
        let mut types = TYPES;
        for (instance, core) in &mine {
            for function in core.called()? {
                let item = linked.item(*instance, FUNCTIONS, function)?;
                let own = matches!(item, Item::Own(own) if is_mine(own));
                if !own && part.number(item).is_none() {
                    part.imported.push((item, types + core.type_of(function)?));
                }
            }
            for global in 0..core.imports[GLOBALS].len() as u32 {
                let own = part.global_of(*instance, global)?;
                if !is_mine(own) && constant(linked, own)?.is_none() && !part.imported_globals.contains(&own) {
                    part.imported_globals.push(own);
                }
            }
            types += core.count_types();
        }
        let (mut functions, mut globals) = (part.imported.len() as u32, part.imported_globals.len() as u32);
        for (number, own) in part.imported_globals.iter().enumerate() {
            part.globals.insert(*own, number as u32);
        }
        for (instance, core) in &mine {
            for own in (core.imports[FUNCTIONS].len() as u32..).take(core.functions.len()) {
                part.functions.insert((*instance, own), functions);
                functions += 1;
            }
            for own in (core.imports[GLOBALS].len() as u32..).take(core.globals.len()).map(|global| (*instance, global))
            {
                if constant(linked, own)?.is_none() {
                    part.globals.insert(own, globals);
                    globals += 1;
                }
            }
        }
        let mut types = TYPES;
        for (instance, core) in mine {
            let numbers = part.numbers(instance, core, types)?;
            part.modules.push((core, numbers));
            types += core.count_types();
        }
        Ok(part)
    }

    fn numbers(&self, instance: u32, core: &Core<'_>, types: u32) -> Answer<Numbers> {
        let functions = (0..(core.imports[FUNCTIONS].len() + core.functions.len()) as u32)
            .map(|function| Ok(self.number(self.linked.item(instance, FUNCTIONS, function)?)))
            .collect::<Answer<_>>()?;
        let globals = (0..(core.imports[GLOBALS].len() + core.globals.len()) as u32).map(|global| {
            let own = self.global_of(instance, global)?;
            let number = || self.globals.get(&own).copied().ok_or_else(|| format_err!("no global"));
            Ok(match constant(self.linked, own)? {
                Some(value) => Global::Constant(value),
                None => Global::Variable(number()?),
            })
        });
        Ok(Numbers { types, functions, globals: globals.collect::<Answer<_>>()? })
    }

    fn global_of(&self, instance: u32, global: u32) -> Answer<Own> {
        match self.linked.item(instance, GLOBALS, global)? {
            Item::Own(own) => Ok(own),
            Item::Lowered(_) => bail!("a function is imported as a global"),
        }
    }

    /// The number of a function that it defines.
    pub(super) fn own(&self, item: Item) -> Option<u32> {
        match item {
            Item::Own(own) => self.functions.get(&own).copied(),
            Item::Lowered(_) => None,
        }
    }

    pub(super) fn own_global(&self, own: Own) -> Option<u32> {
        self.globals.get(&own).copied()
    }

    fn number(&self, item: Item) -> Option<u32> {
        self.own(item).or_else(|| self.imported.iter().position(|(other, _)| *other == item).map(|at| at as u32))
    }

    /// The first address that the linker gave to nothing of it.
    fn end(&self) -> Answer<u32> {
        let ends = self.segments()?.into_iter().map(|(offset, functions)| offset + functions.len() as u32);
        Ok(ends.max().unwrap_or(1))
    }

    /// What is in the linker's table: addresses, and the functions from there on.
    fn segments(&self) -> Answer<Vec<(u32, Vec<u32>)>> {
        let mut segments = Vec::new();
        for (core, numbers) in &self.modules {
            for element in &core.elements {
                let functions = addresses(element)?;
                let ElementKind::Active { offset_expr, .. } = &element.kind else {
                    bail!("a table's segment has no place")
                };
                if self.engine.is_some() {
                    for function in &functions {
                        ensure!(core.is_binding(*function)?, "a binding takes more than its one argument");
                    }
                }
                let number = |function: u32| numbers.functions[function as usize];
                let functions: Option<Vec<u32>> = functions.into_iter().map(number).collect();
                let functions = functions.ok_or_else(|| format_err!("the address of nothing is taken"))?;
                let offset = literal(offset_expr, |global| match numbers.globals[global as usize] {
                    Global::Constant(value) => Some(value),
                    Global::Variable(_) => None,
                })?;
                let offset = offset.ok_or_else(|| format_err!("a table's segment has no fixed place"))?;
                if !functions.is_empty() {
                    segments.push((u32::try_from(offset)?, functions));
                }
            }
        }
        Ok(segments)
    }

    /// The module. It exports these functions and globals by their numbers; the bindings import what is the engine's.
    pub(super) fn encode(&self, called: &BTreeSet<u32>, globals: &[u32]) -> Answer<Module> {
        let mut out = Sections::default();
        out.types.ty().function([ValType::I32], []);
        out.types.ty().function([ValType::I32; 2], []);
        out.imports.import("memory", "memory", EntityType::Memory(self.linked.memory()?));
        out.imports.import("memory", "between", EntityType::Table(between()));
        for (item, ty) in &self.imported {
            let (module, number) = match item {
                Item::Lowered(number) => ("lowered", Some(*number)),
                Item::Own(_) => ("engine", self.engine.and_then(|engine| engine.own(*item))),
            };
            let number = number.ok_or_else(|| format_err!("the engine calls the bindings"))?;
            out.imports.import(module, &number.to_string(), EntityType::Function(*ty));
        }
        for own in &self.imported_globals {
            let number = self.engine.and_then(|engine| engine.own_global(*own));
            let number = number.ok_or_else(|| format_err!("the engine has a global of the bindings"))?;
            let ty = global(self.linked, *own)?.ty;
            let ty = GlobalType::try_from(ty).map_err(|_| format_err!("a global has no core type"))?;
            out.imports.import("engine", &format!("g{number}"), EntityType::Global(ty));
        }
        let mut functions = self.imported.len() as u32;
        let mut start = None;
        for (core, numbers) in &self.modules {
            let mut renumber = Renumber { numbers, has_addresses: self.engine.is_none() };
            renumber.add(core, &mut out).map_err(|error| format_err!("{error}"))?;
            functions += core.functions.len() as u32;
            if let Some(function) = core.start {
                ensure!(start.is_none(), "two modules start something");
                let number = numbers.functions[function as usize];
                start = Some(number.ok_or_else(|| format_err!("what starts all is not there"))?);
            }
        }
        self.encode_table(&mut out, functions)?;
        for number in called {
            out.exports.export(&number.to_string(), ExportKind::Func, *number);
        }
        for number in globals {
            out.exports.export(&format!("g{number}"), ExportKind::Global, *number);
        }
        Ok(out.module(start))
    }

    /// The table of its own, what passes calls on, and its side of the table between them.
    fn encode_table(&self, out: &mut Sections, functions: u32) -> Answer<()> {
        let mut segments = self.segments()?;
        let (slot, function, size) = match self.engine {
            None => {
                let end = self.end()?;
                for number in 0..SLOTS {
                    let mut slot = Function::new([]);
                    let mut body = slot.instructions();
                    body.local_get(0).i32_const(number as i32).i32_const(CALL as i32);
                    body.call_indirect(BETWEEN, NUMBERED).end();
                    out.functions.function(IMPORT);
                    out.code.function(&slot);
                }
                segments.push((end, (functions..functions + SLOTS).collect()));
                let realloc = self.own(self.linked.realloc()?);
                (REALLOC, realloc.ok_or_else(|| format_err!("the allocator is not the engine's"))?, end + SLOTS)
            }
            Some(engine) => {
                let first = engine.end()?;
                for (offset, _) in &mut segments {
                    *offset = offset
                        .checked_sub(first)
                        .ok_or_else(|| format_err!("an import's address is among the engine's"))?;
                }
                let size =
                    segments.iter().map(|(offset, functions)| offset + functions.len() as u32).max().unwrap_or(0);
                ensure!(size <= SLOTS, "{size} functions are imported; one image can have {SLOTS}");
                let mut call = Function::new([]);
                call.instructions().local_get(0).local_get(1).call_indirect(TABLE, IMPORT).end();
                out.functions.function(NUMBERED);
                out.code.function(&call);
                (CALL, functions, size)
            }
        };
        out.tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: size.into(),
            maximum: Some(size.into()),
            shared: false,
        });
        segments.sort_unstable();
        // The own table's first: those before the first segment of an imported one are filled as slots are used.
        for (offset, functions) in segments {
            out.elements.active(
                Some(TABLE),
                &ConstExpr::i32_const(offset as i32),
                Elements::Functions(functions.into()),
            );
        }
        out.elements.active(
            Some(BETWEEN),
            &ConstExpr::i32_const(slot as i32),
            Elements::Functions([function][..].into()),
        );
        Ok(())
    }
}

fn global<'l, 'a>(linked: &'l Linked<'a>, (instance, index): Own) -> Answer<&'l wasmparser::Global<'a>> {
    let core = linked.module(instance)?;
    core.globals.get(index as usize - core.imports[GLOBALS].len()).ok_or_else(|| format_err!("no global"))
}

/// The value of a global that never changes, if it says so.
fn constant(linked: &Linked<'_>, own: Own) -> Answer<Option<i32>> {
    let global = global(linked, own)?;
    if global.ty.mutable { Ok(None) } else { literal(&global.init_expr, |_| None) }
}

#[derive(Default)]
struct Sections {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
}

impl Sections {
    fn module(&self, start: Option<u32>) -> Module {
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions).section(&self.tables);
        module.section(&self.globals).section(&self.exports);
        if let Some(function_index) = start {
            module.section(&StartSection { function_index });
        }
        module.section(&self.elements).section(&self.code).section(&self.data);
        module
    }
}

/// A module's numbers become those of the new one.
struct Renumber<'n> {
    numbers: &'n Numbers,
    /// Whether addresses that it calls are those of its own table.
    has_addresses: bool,
}

type Recoded<T> = Result<T, reencode::Error<&'static str>>;

impl Renumber<'_> {
    fn add(&mut self, core: &Core<'_>, out: &mut Sections) -> Recoded<()> {
        for types in &core.types {
            self.parse_recursive_type_group(out.types.ty(), types.clone())?;
        }
        for ty in &core.functions {
            out.functions.function(self.type_index(*ty)?);
        }
        for body in &core.bodies {
            self.parse_function_body(&mut out.code, body.clone())?;
        }
        for (global, number) in core.globals.iter().zip(core.imports[GLOBALS].len()..) {
            if let Global::Variable(_) = self.numbers.globals[number] {
                self.parse_global(&mut out.globals, global.clone())?;
            }
        }
        for data in &core.data {
            self.parse_data(&mut out.data, data.clone())?;
        }
        Ok(())
    }
}

impl Reencode for Renumber<'_> {
    type Error = &'static str;

    fn type_index(&mut self, ty: u32) -> Recoded<u32> {
        Ok(self.numbers.types + ty)
    }

    fn function_index(&mut self, function: u32) -> Recoded<u32> {
        let number = self.numbers.functions.get(function as usize).copied().flatten();
        number.ok_or(reencode::Error::UserError("a function is called that is not there"))
    }

    fn global_index(&mut self, global: u32) -> Recoded<u32> {
        match self.numbers.globals.get(global as usize) {
            Some(Global::Variable(number)) => Ok(*number),
            _ => Err(reencode::Error::UserError("a global is set that never changes")),
        }
    }

    fn table_index(&mut self, _: u32) -> Recoded<u32> {
        if !self.has_addresses {
            // The address would be one of the engine's table.
            return Err(reencode::Error::UserError("a binding calls an address"));
        }
        Ok(TABLE)
    }

    fn data_index(&mut self, _: u32) -> Recoded<u32> {
        Err(reencode::Error::UserError("a segment of data is used by number"))
    }

    fn element_index(&mut self, _: u32) -> Recoded<u32> {
        Err(reencode::Error::UserError("a segment of a table is used by number"))
    }

    fn instruction<'o>(&mut self, operator: Operator<'o>) -> Recoded<Instruction<'o>> {
        if let Operator::GlobalGet { global_index } = operator
            && let Some(Global::Constant(value)) = self.numbers.globals.get(global_index as usize)
        {
            return Ok(Instruction::I32Const(*value));
        }
        reencode::utils::instruction(self, operator)
    }
}
