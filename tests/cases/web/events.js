// not-node: its targets are not all that the standard says
// Event, CustomEvent and EventTarget.
const t = new EventTarget(), log = [];
const on = (name) => (event) => { log.push(`${name}:${event.type}:${event.target === t}:${event.eventPhase}`); };
const a = on('a');
t.addEventListener('x', a); t.addEventListener('x', a); t.addEventListener('x', a, { capture: true });
t.addEventListener('x', { handleEvent(e) { log.push(`object:${this.handleEvent !== undefined}`); } }, { once: true });
console.log(t.dispatchEvent(new Event('x')), log.splice(0).join(' ')); // expect: true a:x:true:2 a:x:true:2 object:true
t.removeEventListener('x', a); t.removeEventListener('x', a, true);
console.log(t.dispatchEvent(new Event('x')), log.splice(0).join(' '), t.dispatchEvent(new Event('y'))); // expect: true  true
const c = new CustomEvent('c', { detail: { n: 1 }, cancelable: true });
t.addEventListener('c', (e) => { e.preventDefault(); e.stopImmediatePropagation(); log.push('first'); });
t.addEventListener('c', () => log.push('never'));
console.log(t.dispatchEvent(c), c.defaultPrevented, c.detail.n, log.splice(0).join(), c instanceof Event, c.currentTarget, c.isTrusted); // expect: false true 1 first true null false
t.addEventListener('p', (e) => e.preventDefault(), { passive: true });
const p = new Event('p', { cancelable: true });
console.log(t.dispatchEvent(p), p.defaultPrevented, new Event('n').cancelable, new Event('b', { bubbles: true }).bubbles); // expect: true false false true
t.addEventListener('again', (e) => { try { t.dispatchEvent(e); } catch (x) { log.push(x.name); } });
t.dispatchEvent(new Event('again'));
console.log(log.splice(0).join()); // expect: InvalidStateError
t.addEventListener('grow', function grow() { log.push(1); t.addEventListener('grow', () => log.push(2)); t.removeEventListener('grow', grow); });
t.dispatchEvent(new Event('grow')); t.dispatchEvent(new Event('grow'));
console.log(log.splice(0).join()); // expect: 1,2
const ac = new AbortController();
t.addEventListener('s', () => log.push('s'), { signal: ac.signal });
t.dispatchEvent(new Event('s')); ac.abort(); t.dispatchEvent(new Event('s'));
console.log(log.splice(0).join()); // expect: s
class Emitter extends EventTarget { say(x) { return this.dispatchEvent(new CustomEvent('say', { detail: x })); } }
const e = new Emitter();
e.addEventListener('say', function (event) { log.push(event.detail, this === e, event.composedPath().length); });
e.say('hi');
console.log(log.splice(0).join(), Object.prototype.toString.call(e), Event.AT_TARGET); // expect: hi,true,1 [object EventTarget] 2
const wrong = [() => new Event(), () => t.dispatchEvent({ type: 'x' }), () => EventTarget.prototype.addEventListener.call({}, 'x', () => {}), () => Event(1), () => t.addEventListener('x'), () => Event.prototype.type];
console.log(wrong.map((f) => { try { f(); return 'fine'; } catch (x) { return x.name; } }).join()); // expect: TypeError,TypeError,TypeError,TypeError,TypeError,TypeError
