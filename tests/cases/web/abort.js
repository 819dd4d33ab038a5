// AbortController and AbortSignal.
const c = new AbortController(), { signal } = c, log = [];
signal.onabort = function (e) { log.push('on', e.isTrusted, this === signal); };
signal.addEventListener('abort', () => log.push('listener'));
console.log(signal.aborted, signal.reason, signal instanceof EventTarget, signal.onabort !== null); // expect: false undefined true true
signal.throwIfAborted();
c.abort(); c.abort('second');
console.log(signal.aborted, signal.reason.name, signal.reason.code, signal.reason instanceof DOMException, log.join()); // expect: true AbortError 20 true on,true,true,listener
try { signal.throwIfAborted(); } catch (e) { console.log(e === signal.reason); } // expect: true
const d = new AbortController();
d.abort('why'); d.signal.addEventListener('abort', () => log.push('never'));
console.log(d.signal.reason, AbortSignal.abort(7).reason, AbortSignal.abort().reason.message); // expect: why 7 This operation was aborted
const x = new AbortController(), y = new AbortController();
const any = AbortSignal.any([x.signal, y.signal]), both = AbortSignal.any([any, x.signal]), order = [];
any.onabort = () => order.push('any'); both.onabort = () => order.push('both'); y.signal.onabort = () => order.push('y');
y.abort('r');
console.log(any.reason, both.reason, x.signal.aborted, order.join(), AbortSignal.any([]).aborted, AbortSignal.any([any]).reason); // expect: r r false y,any,both false r
const wrong = [() => new AbortSignal(), () => AbortSignal.any([1]), () => AbortSignal.any(), () => AbortController(), () => signal.aborted.x.y];
console.log(wrong.map((f) => { try { f(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,TypeError,TypeError,TypeError
