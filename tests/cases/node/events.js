// flags: --module events --module util
const EventEmitter = require('events'), { once, on, errorMonitor, captureRejectionSymbol } = EventEmitter, { inherits } = require('util');
const e = new EventEmitter(), log = [];
e.on('a', function (...args) { log.push(this === e, ...args); });
e.prependListener('a', () => log.push('first')); e.once('a', () => log.push('once'));
console.log(e.emit('a', 1, 2), e.emit('a'), e.emit('b'), log.join()); // expect: true true false first,true,1,2,once,first,true
console.log(e.listenerCount('a'), e.eventNames().join(), e.listeners('a').length, e.rawListeners('a').length, e.getMaxListeners(), EventEmitter.defaultMaxListeners); // expect: 2 a 2 2 10 10
const f = () => log.push('f');
e.on('f', f); e.off('f', f); e.off('f', f);
console.log(e.listenerCount('f'), e.emit('f')); // expect: 0 false
e.on('newListener', (name) => log.push(`new:${String(name)}`)); e.on('removeListener', (name) => log.push(`gone:${String(name)}`));
log.length = 0;
e.once('x', f); e.emit('x'); e.on(Symbol.for('s'), f); e.removeAllListeners('a');
console.log(log.join()); // expect: new:x,gone:x,f,new:Symbol(s),gone:a,gone:a
console.log((() => { try { e.emit('error', new RangeError('r')); } catch (x) { return `${x.name} ${x.message}`; } })(), (() => { try { e.emit('error', { a: 1 }); } catch (x) { return `${x.name} ${x.code} ${x.message} ${x.context.a}`; } })(), (() => { try { new EventEmitter().emit('error'); } catch (x) { return x.message; } })()); // expect: RangeError r Error ERR_UNHANDLED_ERROR Unhandled error. ({ a: 1 }) 1 Unhandled error. (undefined)
e.on(errorMonitor, (x) => log.push(`seen:${x.message}`)); e.on('error', () => log.push('handled'));
log.length = 0;
console.log(e.emit('error', new Error('m')), log.join()); // expect: true seen:m,handled
function Old() { EventEmitter.call(this); }
inherits(Old, EventEmitter);
const old = new Old();
class New extends EventEmitter {}
console.log(old.on('x', () => {}) === old, old.emit('x'), new New().emit('x'), old instanceof EventEmitter, Old.super_ === EventEmitter); // expect: true true false true true
queueMicrotask(() => e.emit('later', 1, 2));
console.log((await once(e, 'later')).join(), await once(Object.assign(new EventEmitter(), {}), 'x', { signal: AbortSignal.abort() }).catch((x) => `${x.name} ${x.code}`)); // expect: 1,2 AbortError ABORT_ERR
const waits = once(e, 'never');
e.emit('error', new TypeError('t'));
console.log(await waits.catch((x) => x.name), e.listenerCount('never')); // expect: TypeError 0
const t = new EventTarget();
queueMicrotask(() => t.dispatchEvent(new Event('go')));
console.log((await once(t, 'go'))[0].type); // expect: go
const c = new AbortController(), got = [];
queueMicrotask(() => { e.emit('i', 1); e.emit('i', 2); queueMicrotask(() => c.abort()); });
try { for await (const [x] of on(e, 'i', { signal: c.signal })) got.push(x); } catch (x) { got.push(x.name); }
console.log(got.join(), e.listenerCount('i')); // expect: 1,2,AbortError 0
const r = new EventEmitter({ captureRejections: true });
r.on('x', async () => { throw new Error('async'); });
const failed = once(r, 'nothing');
r.emit('x');
console.log(await failed.catch((x) => x.message)); // expect: async
const wrong = [() => e.on('x', 1), () => e.setMaxListeners(-1), () => e.setMaxListeners('x'), () => EventEmitter.setMaxListeners(-1), () => { EventEmitter.defaultMaxListeners = -1; }, () => new EventEmitter({ captureRejections: 1 }), () => on({}, 'x'), () => EventEmitter.getEventListeners({}, 'x')];
console.log(wrong.map((g) => { try { g(); return 'fine'; } catch (x) { return `${x.name} ${x.code}`; } }).join()); // expect: TypeError ERR_INVALID_ARG_TYPE,RangeError ERR_OUT_OF_RANGE,TypeError ERR_INVALID_ARG_TYPE,RangeError ERR_OUT_OF_RANGE,RangeError ERR_OUT_OF_RANGE,TypeError ERR_INVALID_ARG_TYPE,TypeError ERR_INVALID_ARG_TYPE,TypeError ERR_INVALID_ARG_TYPE
console.log((() => { try { e.on('x', 1); } catch (x) { return x.message; } })(), (() => { try { e.setMaxListeners(-1); } catch (x) { return x.message; } })()); // expect: The "listener" argument must be of type function. Received type number (1) The value of "setMaxListeners" is out of range. It must be >= 0. Received -1
const self = new EventEmitter();
self.on('x', function gone() { self.off('x', gone); self.on('x', () => log.push('added')); });
log.length = 0; self.emit('x'); self.emit('x');
console.log(log.join(), EventEmitter.EventEmitter === EventEmitter, captureRejectionSymbol.toString()); // expect: added true Symbol(nodejs.rejection)
