// A stack begins with the error's name and message, as they are when it is asked for.
const first = (error) => error.stack.split('\n    at')[0];
const tell = (f) => { try { console.log(first(f())); } catch (error) { console.log('threw', String(error)); } };
class Named extends Error { constructor(message) { super(message); this.name = 'Named'; } }
class Got extends Error { get name() { return 'Got'; } get message() { return 'by getter'; } }
class Cut extends Error { constructor(message) { super(message); Error.captureStackTrace(this, Cut); this.name = 'Cut'; } }
class NoNameError extends TypeError { }
const changed = new Error('before');
changed.message = 'after';
tell(() => new TypeError('plain')); // expect: TypeError: plain
tell(() => new Error()); // expect: Error
tell(() => new Error('two\nlines')); // expect: Error: two
// expect: lines
tell(() => new Named('set later')); // expect: Named: set later
tell(() => new Got()); // expect: Got: by getter
tell(() => new Cut('captured')); // expect: Cut: captured
tell(() => changed); // expect: Error: after
tell(() => { const plain = { name: 'Plain', message: 'object' }; Error.captureStackTrace(plain); return plain; }); // expect: Plain: object
tell(() => new DOMException('m', 'AbortError')); // expect: AbortError: m
tell(() => new DOMException()); // expect: Error
tell(() => structuredClone(new RangeError('copied'))); // expect: RangeError: copied
tell(() => { try { null.x; } catch (error) { return error; } }); // expect: TypeError: cannot read property 'x' of null
tell(() => { try { new Function('a b'); } catch (error) { return error; } }); // expect: SyntaxError: expecting ';'
tell(() => new (class extends Error { get message() { throw 'mine'; } })()); // expect: threw mine
tell(() => new (class extends Error { get message() { return this.stack; } })()); // expect: threw RangeError: Maximum call stack size exceeded
const limit = Error.stackTraceLimit;
Error.stackTraceLimit = 0;
console.log(JSON.stringify(new Error('no frames').stack), String(new Error().stack)); // expect: "Error: no frames" Error
Error.stackTraceLimit = limit;
// What a script makes of it has no other title.
Error.prepareStackTrace = (error, sites) => `${error.message} ${sites.length > 0}`;
const made = [new Error('prepared').stack];
Error.prepareStackTrace = undefined;
const own = new Error('m'), frozen = Object.freeze(new Error('frozen'));
own.stack = 'mine';
Error.captureStackTrace(frozen);
console.log(made[0], own.stack, first(frozen)); // expect: prepared true mine Error: frozen
Error.captureStackTrace(own);
console.log(first(own), /stacks\.js:\d+:\d+/.test(own.stack), own.stack.endsWith('\n')); // expect: Error: m true false
// A getter may take away what is being read.
class Taken extends Error { get message() { Error.captureStackTrace(this); this.stack = 'x'.repeat(9); return 'taken'; } }
tell(() => new Taken()); // expect: Error: taken
console.log(first(new Proxy(new Error('behind'), { get: (target, name) => Reflect.get(target, name) }))); // expect: Error: behind
// It begins where an error is made, and not in the constructors of its class.
class Deep extends NoNameError { constructor(message) { super(message); this.deep = true; } static made() { return new Deep('made'); } }
const from = (error) => error.stack.split('\n')[1].trim().split(' ')[1];
console.log([() => new NoNameError('m'), function here() { return new Deep('m'); }, Deep.made].map((f) => from(f())).join()); // expect: <anonymous>,here,made
// What is no Error gets a stack of the same kind, and a trap of a Proxy that throws is heard of.
function Early(message) { Error.captureStackTrace(this, Early); this.name = 'Early'; this.message = message; }
Early.prototype = Object.create(Error.prototype);
const early = new Early('set after');
console.log(first(early), Object.keys(early).join()); // expect: Early: set after name,message
early.stack = 'set';
console.log(early.stack, Object.getOwnPropertyDescriptor(early, 'stack').enumerable); // expect: set false
const proxy = new Proxy({}, { defineProperty: () => { throw new Error('trap'); } });
tell(() => { Error.captureStackTrace(proxy); return new Error('not heard of'); }); // expect: threw Error: trap
// The console names the class, runs no getter, and has frames of its own.
const shown = (value) => console.log(require('util').inspect(value).split('\n')[0]);
shown(new NoNameError('m')); // expect: NoNameError [TypeError]: m
console.log(new (class NoFrames extends Error { stack = 'told'; })('m')); // expect: [told]
(function outer() { console.trace('here', 1); })();
// flags: --module util
// expect-error: Trace: here 1
// expect-error:     at outer (stacks.js:
